"""Bodies too large for a message or a row, kept in the payload bucket."""

from dataclasses import asdict, dataclass
from typing import Any

from sync.aws import Clients, failures
from sync.errors import RecordError


@dataclass(frozen=True, slots=True)
class Payload:
    """Where a body is kept, and how long it is."""

    bucket: str
    key: str
    bytes: int

    @classmethod
    def read(cls, value: Any) -> "Payload":
        """From a message or a row. Raises RecordError for what is none."""
        try:
            return cls(str(value["bucket"]), str(value["key"]), int(value["bytes"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"not a pointer to a payload: {value!r:.200}") from error

    def plain(self) -> dict[str, Any]:
        return asdict(self)


class Bodies:
    """The payload bucket."""

    def __init__(self, bucket: str, clients: Clients) -> None:
        self._bucket = bucket
        self._clients = clients

    def keep(self, key: str, text: str) -> Payload:
        """Write *text* under *key*; writing it again changes nothing. Raises Retry."""
        body = text.encode()
        with failures("keeping the body of a dead letter"):
            self._clients("s3").put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/json"
            )
        return Payload(self._bucket, key, len(body))

    def fetch(self, payload: Payload) -> str:
        """The text that *payload* points to. Raises Retry, also where it is gone."""
        with failures(f"fetching s3://{payload.bucket}/{payload.key}"):
            answer = self._clients("s3").get_object(Bucket=payload.bucket, Key=payload.key)
            text: str = answer["Body"].read().decode()
        return text
