"""Every error this service raises on purpose, as one tree.

    SyncError
      ConfigError       refuses to start, and names the setting
      RegistryError     two models want one key: refused at start, quarantined at run time
      RecordError       this record can never succeed: quarantined, its shard moves on
        InvalidImage    the image is not what DynamoDB or the model says it should be
        ModelBug        the model's plan raised, where other keys must not suffer from it
      Refused           the destination will never take this document: quarantined
      Retry             may pass: tried again within the time budget, then handed back
        Throttled       the destination asks for less (429, flood stage)
        Unavailable     no answer, or one that says "not now" (5xx, timeout, refused connection)
          Unanswered    nobody knows what became of the request: it may yet take effect
          NotTried      nothing was sent: a breaker, a deadline or a version stood before it
        Held            refused like most before it: parked, until the model or mapping is mended
        Misconfigured   it is about us, not about a document: credentials, a missing alias
          NotGiven      what only a person can give is not there yet: told as a thing to do

A class exists where someone decides differently because of it. Anything that is not a SyncError
is a bug: it is logged with its keys and raised, and Lambda bisects the batch.
"""


class SyncError(Exception):
    """The root of the tree above."""


class ConfigError(SyncError):
    """A setting is missing or wrong; the message names it."""


class RegistryError(SyncError):
    """Two models want one key."""


class RecordError(SyncError):
    """This record can never succeed."""


class InvalidImage(RecordError):
    """An image is malformed, or does not satisfy its *model*, where one has looked at it."""

    model: str | None = None


class ModelBug(RecordError):
    """The plan of *model* raised what no plan should; the cause tells what."""

    model: str | None = None


class Refused(SyncError):
    """The destination will never take this document."""


class Retry(SyncError):
    """May pass if tried again.

    *of_target*: it is about one target of the sink alone, such as a missing alias; the sink's
    other targets are to have their writes.
    """

    def __init__(self, *args: object, of_target: bool = False) -> None:
        super().__init__(*args)
        self.of_target = of_target


class Throttled(Retry):
    """The destination asks for less."""


class Unavailable(Retry):
    """The destination did not answer, or answered that it can't now."""


class Unanswered(Unavailable):
    """Nobody knows what became of the request: it may yet take effect."""


class NotTried(Unavailable):
    """Nothing was sent, so nothing can take effect later."""


class Held(Retry):
    """Refused, as most were before it: no dead letter each, see sync/recovery/brake.py."""


class Misconfigured(Retry):
    """A whole request failed for a reason that no single document explains."""


class NotGiven(Misconfigured):
    """What only a person can give, such as an API key, is not there yet; the message says where."""
