"""SQS: standard and FIFO queues (developer guide), as far as any consumer can tell."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.simulation.world import World

RETENTION_S: Final = 14 * 24 * 3600.0  # the most that SQS allows
DEDUPLICATION_S: Final = 300.0


@dataclass(slots=True, eq=False)
class Message:
    """*visible_at*: hidden until then, being delayed or received."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    receives: int = 0
    group: str | None = None
    received: bool = False  # at least once, so that being hidden means being in flight
    expires_at: float = field(default=0.0)


class Queue:
    """A standard queue: at least once, in no order.

    *redrive* takes a message that was received *most_receives* times, at the next attempt.
    """

    def __init__(
        self,
        world: World,
        name: str,
        *,
        visibility_s: float,
        retention_s: float = RETENTION_S,
        delay_s: float = 0.0,
        most_receives: int | None = None,
        redrive: Callable[[Message], object] | None = None,
        duplicates: float = 0.0,
    ) -> None:
        self.name = name
        self.url = f"https://sqs.us-east-1.amazonaws.com/123456789012/{name}"
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        self.messages: list[Message] = []
        self.duplicates = duplicates  # share of deliveries that are made twice
        self.arrived: list[Callable[[float], object]] = []  # told when there may be something new
        self.dropped = 0  # past retention
        self._world = world
        self._visibility_s = visibility_s
        self._retention_s = retention_s
        self._delay_s = delay_s
        self._most_receives = most_receives
        self._redrive = redrive

    def send(self, body: str, delay_s: float | None = None) -> str:
        """Take a message, to be delivered after *delay_s* or the queue's own; returns its id."""
        now = self._world.now
        visible_at = now + (self._delay_s if delay_s is None else delay_s)
        message = Message(self._id(), body, now, visible_at, expires_at=now + self._retention_s)
        self._add(message)
        return message.id

    def take(self, message: Message) -> None:
        """Take a message that another queue's redrive policy sends here. It keeps its age: what it
        waited there counts here too (SQS guide, "dead-letter queues and message retention")."""
        expires_at = message.sent_at + self._retention_s
        now = self._world.now
        self._add(Message(message.id, message.body, message.sent_at, now, expires_at=expires_at))

    def receive(self, most: int) -> list[Message]:
        """Up to *most* visible messages, hidden from now on for the visibility timeout."""
        self._expire()
        now = self._world.now
        taken: list[Message] = []
        for message in self._candidates(now):
            if len(taken) == most:
                break
            if self._most_receives is not None and message.receives >= self._most_receives:
                self.messages.remove(message)
                self._world.note("redriven", self.name, message.id)
                if self._redrive:
                    self._redrive(message)
                continue
            message.receives += 1
            message.received = True
            again = self._world.random.random() < self.duplicates
            message.visible_at = now + (0.05 if again else self._visibility_s)
            if again:
                self._world.note("delivered twice", self.name, message.id)
                self._tell(0.05)
            taken.append(message)
        return taken

    def delete(self, message: Message) -> None:
        """Done with; deleting what is gone is no error."""
        if message in self.messages:
            self.messages.remove(message)

    def release(self, message: Message, after_s: float) -> None:
        """Let a received message be seen again (ChangeMessageVisibility)."""
        message.visible_at = self._world.now + after_s
        self._tell(after_s)

    def next_visible(self) -> float | None:
        """When the next message can be received, if there is any."""
        return min((message.visible_at for message in self.messages), default=None)

    def _candidates(self, now: float) -> list[Message]:
        visible = [message for message in self.messages if message.visible_at <= now]
        self._world.random.shuffle(visible)
        return visible

    def _add(self, message: Message) -> None:
        self.messages.append(message)
        self._world.note("sent", self.name, message.id)
        self._tell(message.visible_at - self._world.now)

    def _tell(self, after_s: float) -> None:
        for told in self.arrived:
            told(after_s)

    def _expire(self) -> None:
        kept = [message for message in self.messages if message.expires_at > self._world.now]
        self.dropped += len(self.messages) - len(kept)
        self.messages = kept

    def _id(self) -> str:
        return f"{self._world.random.getrandbits(64):016x}"


class FifoQueue(Queue):
    """In order within a group: while one of its messages is in flight, the others of it wait.

    An id that was sent within the last five minutes is accepted and not delivered, whatever became
    of the first. No delay for single messages.
    """

    def __init__(self, world: World, name: str, **settings: Any) -> None:
        super().__init__(world, name, **settings)
        self._seen: dict[str, tuple[float, str]] = {}

    def send(
        self, body: str, delay_s: float | None = None, *, group: str = "", once: str = ""
    ) -> str:
        """*once*: the deduplication id. Raises ValueError for a delay or a missing id."""
        if delay_s or not group or not once:
            raise ValueError("a FIFO message has a group, a deduplication id, and no delay")
        now = self._world.now
        sent_at, message_id = self._seen.get(once, (float("-inf"), ""))
        if now < sent_at + DEDUPLICATION_S:
            return message_id
        visible_at, expires_at = now + self._delay_s, now + self._retention_s
        message = Message(self._id(), body, now, visible_at, group=group, expires_at=expires_at)
        self._seen[once] = now, message.id
        self._add(message)
        return message.id

    def take(self, message: Message) -> None:
        """As a queue does; a FIFO queue counts its age from now on."""
        self.send(message.body, group=str(message.group), once=message.id)

    def next_visible(self) -> float | None:
        """What waits behind messages in flight can be received when these are seen again."""
        now = self._world.now
        free_at: dict[str | None, float] = {}
        for message in self.messages:
            flying = message.received and message.visible_at > now
            free_at[message.group] = max(
                free_at.get(message.group, now), message.visible_at if flying else now
            )
        return min(free_at.values(), default=None)

    def _candidates(self, now: float) -> list[Message]:
        """The messages of groups of which none is in flight, each group's in order."""
        flying = {m.group for m in self.messages if m.received and m.visible_at > now}
        free: dict[str | None, list[Message]] = {}
        for message in self.messages:
            if message.group not in flying:
                free.setdefault(message.group, []).append(message)
        order = list(free.values())
        self._world.random.shuffle(order)
        return [message for group in order for message in group]
