"""The errors that this service raises on purpose, as one tree.

    SyncError
      ConfigError       refuses to start, and names the setting
      RegistryError     two models match one key: refused at start, a dead letter at run time
      RecordError       this record can never succeed: a dead letter; its shard moves on
        InvalidImage    the image is malformed, or does not satisfy its model
        ModelBug        a model's plan raised: a dead letter, so that other keys go on
      Refused           the destination will never accept this document: a dead letter
      Retry             may succeed later: retried until the deadline, then parked
        Throttled       the destination limits the rate (429, flood stage)
        Unavailable     no answer, or a temporary failure (5xx, timeout, refused connection)
          Unanswered    the request's outcome is unknown: it may still take effect
          NotTried      nothing was sent: a breaker is open, or it is too late or too early
        Held            most documents are refused: parked until the model or mapping is corrected
        Misconfigured   the setup is wrong, not a document: credentials, a missing alias
          NotGiven      a person has to supply something, such as an API key

A class exists only where code handles it differently. Any other exception is a bug: it is logged
with its keys and raised, and Lambda bisects the batch.
"""


class SyncError(Exception):
    """The root of the tree above."""


class ConfigError(SyncError):
    """A setting is missing or wrong; the message names it."""


class RegistryError(SyncError):
    """Two models match one key, or the models contradict one another."""


class RecordError(SyncError):
    """This record can never succeed."""


class InvalidImage(RecordError):
    """An image is malformed, or does not satisfy its model.

    *model* is that model's name; None if the image is malformed whatever its model.
    """

    model: str | None = None


class ModelBug(RecordError):
    """The plan of the model called *model* raised an unexpected exception, which is the cause."""

    model: str | None = None


class Refused(SyncError):
    """The destination will never accept this document."""


class Retry(SyncError):
    """May succeed if tried again.

    *of_target*: only one target of the sink fails, such as a missing alias; writes to the sink's
    other targets go on.
    """

    def __init__(self, *args: object, of_target: bool = False) -> None:
        super().__init__(*args)
        self.of_target = of_target


class Throttled(Retry):
    """The destination limits the rate of requests."""


class Unavailable(Retry):
    """The destination did not answer, or answered with a temporary failure."""


class Unanswered(Unavailable):
    """The request's outcome is unknown: it may still take effect."""


class NotTried(Unavailable):
    """No request was sent, so none can take effect later."""


class Held(Retry):
    """Refused like most documents before it: parked, no dead letter (sync/recovery/brake.py)."""


class Misconfigured(Retry):
    """A whole request failed, and no single document is the cause."""


class NotGiven(Misconfigured):
    """A person has to supply something, such as an API key; the message says where."""
