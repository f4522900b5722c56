"""Messages grouped by instance: which go together into one work item, and which instance may be handed out next.

No IO. One instance is handed out to one holder at a time. Messages wait in batches: a start opens its own, since it is another generation
that it is for; everything else joins the last batch it can belong to.
Source: DurableTask.AzureStorage, OrchestrationSessionManager.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from linarite.durable.delivery import is_out_of_order, is_repeated_start, same_id
from linarite.durable.events import HistoryEvent
from linarite.taskhub.azure.held import Held

MAX_IDLE_EVENTS = 100_000
"""History events kept in memory of instances that wait for their next message."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An instance as of its last commit.

    `execution_id`: the generation that is current, None if there is none. `etag`: its lock. `history`: its events, or None if another
    generation was asked for and they were not read. `blobs`: those its rows point to.
    """

    execution_id: str | None = None
    etag: str | None = None
    history: tuple[HistoryEvent, ...] | None = ()
    blobs: frozenset[str] = frozenset()

    def serves(self, batch: Batch) -> bool:
        """Whether it tells what a batch needs."""
        return self.history is not None or not self.is_current(batch.wanted)

    def is_current(self, execution_id: str | None) -> bool:
        """Whether a message for that generation (None: the current one) is for this one."""
        return execution_id is None or same_id(execution_id, self.execution_id)


@dataclass(eq=False, slots=True)
class Batch:
    """Messages that are processed together. `execution_id` None: for whichever generation is current."""

    execution_id: str | None
    messages: list[Held]

    @property
    def wanted(self) -> str | None:
        """The generation to read for it. For a child's start the current one: it may be what the start asks for."""
        return None if any(held.message.is_child_start for held in self.messages) else self.execution_id

    def takes(self, execution_id: str | None) -> bool:
        return execution_id is None or self.execution_id is None or same_id(execution_id, self.execution_id)


@dataclass(eq=False, slots=True)
class Session:
    """One instance of which messages are held, or whose history is kept at hand. `active`: it is handed out."""

    instance_id: str
    queue: str
    waiting: deque[Batch] = field(default_factory=deque)
    arrived: list[Held] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    active: Batch | None = None
    is_queued: bool = False


class Sessions:
    """All instances of which this host holds messages."""

    def __init__(self, max_idle_events: int = MAX_IDLE_EVENTS) -> None:
        self._sessions: dict[str, Session] = {}
        self._idle: OrderedDict[str, int] = OrderedDict()
        self._idle_events = 0
        self._max_idle_events = max_idle_events

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def add(self, held: Held) -> Session:
        """Put a message where it belongs; returns its session."""
        instance_id = held.message.target.instance_id
        session = self._sessions.get(instance_id)
        if session is None:
            session = self._sessions[instance_id] = Session(instance_id, held.queue)
        self._not_idle(session)
        execution_id = held.message.target.execution_id
        if held.message.starts_generation:
            session.waiting.append(Batch(execution_id, [held]))
        elif session.active is not None and session.active.takes(execution_id):
            session.arrived.append(held)
        else:
            _join(session.waiting, execution_id, held)
        return session

    def activate(self, session: Session) -> Batch:
        """Hand out the session's first batch."""
        session.active = session.waiting.popleft()
        return session.active

    def release(self, session: Session, checkpoint: Checkpoint | None, unread: Sequence[Held] = ()) -> None:
        """Take the session back. `unread` messages, and those that came meanwhile, are its next batch.

        `checkpoint`: what to keep at hand for the next work item; None to read it again.
        """
        again = [*unread, *session.arrived]
        session.arrived = []
        session.active = None
        session.checkpoint = checkpoint
        if again:
            named = next((held.message.target.execution_id for held in again if held.message.target.execution_id), None)
            session.waiting.appendleft(Batch(named, again))
        if not session.waiting:
            self._now_idle(session)

    def forget(self, instance_id: str) -> None:
        """Keep nothing at hand of an instance that someone changed behind our back."""
        if (session := self._sessions.get(instance_id)) is not None:
            session.checkpoint = None
            if session.active is None and not session.waiting:
                self._drop(session)

    def drop_queue(self, queue: str) -> list[Held]:
        """Let go of every instance of a partition that is not handed out; returns the messages that were waiting."""
        dropped: list[Held] = []
        for session in self:
            if session.queue == queue:
                dropped += [held for batch in session.waiting for held in batch.messages]
                session.waiting.clear()
                if session.active is None:
                    self._drop(session)
        return dropped

    def active_in(self, queue: str) -> bool:
        """Whether an instance of that partition is handed out."""
        return any(session.active is not None and session.queue == queue for session in self._sessions.values())

    def _not_idle(self, session: Session) -> None:
        self._idle_events -= self._idle.pop(session.instance_id, 0)

    def _now_idle(self, session: Session) -> None:
        size = len(session.checkpoint.history or ()) if session.checkpoint else 0
        if not size:
            self._drop(session)
            return
        self._idle[session.instance_id] = size
        self._idle_events += size
        while self._idle_events > self._max_idle_events and self._idle:
            self._drop(self._sessions[next(iter(self._idle))])

    def _drop(self, session: Session) -> None:
        self._not_idle(session)
        self._sessions.pop(session.instance_id, None)


def _join(waiting: deque[Batch], execution_id: str | None, held: Held) -> None:
    for batch in reversed(waiting):
        if batch.takes(execution_id):
            batch.messages.append(held)
            batch.execution_id = batch.execution_id or execution_id
            return
    waiting.append(Batch(execution_id, [held]))


def without_repeated_starts(messages: Sequence[Held], checkpoint: Checkpoint, replaced: Collection[str]) -> tuple[list[Held], list[Held]]:
    """The messages that count, and starts of what has begun: of a child, or of a generation that another one has `replaced` since."""
    kept: list[Held] = []
    repeated: list[Held] = []
    for held in messages:
        is_repeated = is_repeated_start(held.message, checkpoint.history or ()) or (
            held.message.starts_generation and held.message.target.execution_id in replaced
        )
        (repeated if is_repeated else kept).append(held)
    return kept, repeated


def split(batch: Batch, checkpoint: Checkpoint) -> tuple[list[Held], list[Held]]:
    """A batch's messages that make the work item, and those for the current generation that have to wait for one of their own.

    Messages of a generation that is neither current nor started by this batch only get in the way of the others.
    """
    if checkpoint.is_current(batch.execution_id) or any(held.message.starts_generation for held in batch.messages):
        return batch.messages, []
    named = [held for held in batch.messages if held.message.target.execution_id]
    return named, [held for held in batch.messages if not held.message.target.execution_id]


def in_order(messages: Iterable[Held], history: Sequence[HistoryEvent]) -> tuple[list[Held], list[Held]]:
    """The messages that may be processed now, and the answers that overtook their questions."""
    ready: list[Held] = []
    early: list[Held] = []
    for held in messages:
        (early if is_out_of_order(held.message, history, held.delivery) else ready).append(held)
    return ready, early
