"""Bodies too large for a message or a row, kept in the payload bucket."""

from dataclasses import asdict, dataclass
from typing import Any

from sync.aws.clients import Clients, failures
from sync.errors import Misconfigured, RecordError


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


def folder(id_: str) -> str:
    """The prefix in the payload bucket of all bodies of the dead-letter row *id_*."""
    return f"letters/{id_}/"


class Bodies:
    """The payload bucket."""

    def __init__(self, bucket: str, clients: Clients) -> None:
        self._bucket = bucket
        self._clients = clients

    def keep(self, key: str, text: str) -> Payload:
        """Write *text* under *key*; writing it again changes nothing. Raises Retry."""
        body = text.encode("utf-8", "backslashreplace")
        with failures("keeping the body of a dead letter"):
            self._clients("s3").put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/json"
            )
        return Payload(self._bucket, key, len(body))

    def find(self, payload: Payload) -> str | None:
        """The text that *payload* points to; None where it is gone. Raises Retry."""
        with failures(f"fetching s3://{payload.bucket}/{payload.key}"):
            client = self._clients("s3")
            try:
                answer = client.get_object(Bucket=payload.bucket, Key=payload.key)
            except client.exceptions.NoSuchKey:
                return None
            text: str = answer["Body"].read().decode("utf-8", "backslashreplace")
        return text

    def remove(self, payload: Payload) -> None:
        """Delete what *payload* points to; what is gone is no error. Raises Retry."""
        with failures(f"deleting s3://{payload.bucket}/{payload.key}"):
            self._clients("s3").delete_object(Bucket=payload.bucket, Key=payload.key)

    def remove_all(self, id_: str) -> None:
        """Delete every body that the letters of row *id_* ever had. Raises Retry."""
        prefix = folder(id_)
        with failures(f"deleting s3://{self._bucket}/{prefix}"):
            pages = self._clients("s3").get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for held in page.get("Contents", []):
                    self._clients("s3").delete_object(Bucket=self._bucket, Key=held["Key"])

    def fetch(self, payload: Payload) -> str:
        """The text that *payload* points to. Raises Retry, also where it is gone."""
        text = self.find(payload)
        if text is None:
            raise Misconfigured(f"s3://{payload.bucket}/{payload.key} is gone")
        return text
