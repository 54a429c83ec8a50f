"""The payload bucket (S3): bodies that are too large for a message or a row."""

from dataclasses import asdict, dataclass
from typing import Any

from sync.aws.clients import Clients, failures
from sync.errors import Misconfigured, RecordError


@dataclass(frozen=True, slots=True)
class Payload:
    """A pointer to a body in S3, and the body's size."""

    bucket: str
    key: str
    bytes: int

    @classmethod
    def read(cls, value: Any) -> "Payload":
        """The pointer in a message or a row. Raises RecordError if *value* is not a pointer."""
        try:
            return cls(str(value["bucket"]), str(value["key"]), int(value["bytes"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"not a pointer to a payload: {value!r:.200}") from error

    def plain(self) -> dict[str, Any]:
        """The pointer as a JSON object, for a message or a row."""
        return asdict(self)


def folder(id_: str) -> str:
    """The key prefix of all bodies of the dead-letter row *id_*."""
    return f"letters/{id_}/"


class Bodies:
    """Reads, writes and deletes bodies in *bucket*."""

    def __init__(self, bucket: str, clients: Clients) -> None:
        self._bucket = bucket
        self._clients = clients

    def keep(self, key: str, text: str) -> Payload:
        """Write *text* to *key*; idempotent. Raises Retry."""
        body = text.encode(errors="backslashreplace")
        with failures("writing the body of a dead letter to S3"):
            self._clients("s3").put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/json"
            )
        return Payload(self._bucket, key, len(body))

    def find(self, payload: Payload) -> str | None:
        """The text that *payload* points to; None if the object is gone. Raises Retry."""
        with failures(f"fetching s3://{payload.bucket}/{payload.key}"):
            client = self._clients("s3")
            try:
                answer = client.get_object(Bucket=payload.bucket, Key=payload.key)
            except client.exceptions.NoSuchKey:
                return None
            text: str = answer["Body"].read().decode(errors="backslashreplace")
        return text

    def remove(self, payload: Payload) -> None:
        """Delete what *payload* points to; idempotent. Raises Retry."""
        with failures(f"deleting s3://{payload.bucket}/{payload.key}"):
            self._clients("s3").delete_object(Bucket=payload.bucket, Key=payload.key)

    def remove_all(self, id_: str) -> None:
        """Delete every body of the dead-letter row *id_*. Raises Retry."""
        prefix = folder(id_)
        with failures(f"deleting s3://{self._bucket}/{prefix}"):
            pages = self._clients("s3").get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    self._clients("s3").delete_object(Bucket=self._bucket, Key=entry["Key"])

    def fetch(self, payload: Payload) -> str:
        """The text that *payload* points to. Raises Retry, and Misconfigured (a Retry) if the
        object is gone."""
        text = self.find(payload)
        if text is None:
            raise Misconfigured(f"s3://{payload.bucket}/{payload.key} is gone")
        return text
