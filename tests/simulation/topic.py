"""SNS topics and S3 buckets, as far as this service uses them."""

import json
from collections.abc import Callable
from functools import partial
from urllib.parse import quote_plus

from tests.simulation.world import World


class Topic:
    """Hands each message to every subscriber, at least once, in no order (SNS guide)."""

    def __init__(self, world: World, name: str, *, duplicates: float = 0.0) -> None:
        self.arn = f"arn:aws:sns:us-east-1:123456789012:{name}"
        self.subscribers: list[Callable[[str], object]] = []
        self.under_way = 0
        self._world = world
        self._duplicates = duplicates

    def publish(self, message: str) -> None:
        random = self._world.random.random
        for subscriber in self.subscribers:
            for _ in range(2 if random() < self._duplicates else 1):
                self.under_way += 1
                self._world.after(random() * 0.5, partial(self._deliver, subscriber, message))

    def _deliver(self, subscriber: Callable[[str], object], message: str) -> None:
        self.under_way -= 1
        subscriber(message)


class Bucket:
    """Objects by key; *created* are told of new ones, at least once (S3 guide, notifications)."""

    def __init__(self, world: World, name: str, *, duplicates: float = 0.0) -> None:
        self.name = name
        self.objects: dict[str, bytes] = {}
        self.created: list[Callable[[str], object]] = []
        self.under_way = 0
        self._world = world
        self._duplicates = duplicates

    def put(self, key: str, body: bytes) -> None:
        """Take an object, and send what S3 tells of it, where it begins with `aws/lambda/`."""
        random = self._world.random.random
        self.objects[key] = body
        if not key.startswith("aws/lambda/"):
            return
        held = {
            "bucket": {"name": self.name},
            "object": {"key": quote_plus(key), "size": len(body)},
        }
        event = json.dumps({"Records": [{"eventSource": "aws:s3", "s3": held}]})
        for told in self.created:
            for _ in range(2 if random() < self._duplicates else 1):
                self.under_way += 1
                self._world.after(random() * 0.5, partial(self._deliver, told, event))

    def _deliver(self, told: Callable[[str], object], event: str) -> None:
        self.under_way -= 1
        told(event)
