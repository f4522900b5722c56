"""Orchestration work items: made of what has arrived for an instance, committed or abandoned, one at a time per instance.

History is read once per instance and then kept at hand from commit to commit; the sentinel's ETag tells at the next commit whether someone
else went on meanwhile.
Source: DurableTask.AzureStorage, OrchestrationSessionManager and AzureStorageOrchestrationService (CompleteTaskOrchestrationWorkItemAsync).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from linarite.clock import Clock
from linarite.durable.decision import Decision
from linarite.durable.delivery import StartVerdict, judge_start, start_is_void
from linarite.durable.messages import TaskMessage, is_entity
from linarite.errors import HubError, HubUnavailable, WorkItemLockLost
from linarite.taskhub.azure.background import Background
from linarite.taskhub.azure.checkpoints import Checkpoints
from linarite.taskhub.azure.delivery import Delivery
from linarite.taskhub.azure.held import Held, HeldMessages
from linarite.taskhub.azure.sessions import Batch, Checkpoint, Session, Sessions, in_order, split, without_repeated_starts
from linarite.taskhub.protocol import OrchestrationWorkItem
from linarite.timestamps import timestamp

_log = logging.getLogger(__name__)

_LOADS = 16
"""Histories read at the same time."""

_RETRY_S = 5.0

_REMEMBERED = 1000
"""Generations of which it is remembered that another one has replaced them."""


@dataclass(eq=False, slots=True)
class WorkLock:
    """What a work item holds. `is_over` once it is being committed or abandoned: one or the other, once."""

    session: Session
    batch: Batch
    checkpoint: Checkpoint
    is_over: bool = False


class Orchestrations:
    """The instances this host works on."""

    def __init__(self, checkpoints: Checkpoints, delivery: Delivery, held: HeldMessages, clock: Clock) -> None:
        self._checkpoints = checkpoints
        self._delivery = delivery
        self._held = held
        self._clock = clock
        self._sessions = Sessions()
        self._ready: deque[Session] = deque()
        self._arrived = asyncio.Event()
        self._parked: set[Session] = set()
        self._replaced: deque[str] = deque(maxlen=_REMEMBERED)
        """Generations that have continued as new. A start that was delivered twice can be taken in before that, and handed out after it."""
        self._loads = asyncio.Semaphore(_LOADS)
        self._background = Background()

    async def receive(self, batch: Sequence[Held]) -> None:
        """Take in messages of a control queue; clients' starts only if their rows confirm them."""
        verdicts = await asyncio.gather(*(self._judged(held) for held in batch))
        for held, verdict in zip(batch, verdicts, strict=True):
            if verdict is StartVerdict.TAKE:
                self.add(held)
            else:
                again = self._held.delete(held) if verdict is StartVerdict.DROP else self._held.abandon(held)
                self._background.spawn(again, "let go of a start message")

    def add(self, held: Held) -> None:
        """Take in one message."""
        self._queue(self._sessions.add(held))

    async def _judged(self, held: Held) -> StartVerdict:
        if not held.message.is_client_start:
            return StartVerdict.TAKE
        try:
            row = await self._checkpoints.row(held.message.target.instance_id, with_input=False)
        except HubError as problem:
            _log.warning("Could not read the row of instance %s: %s", held.message.target.instance_id, problem)
            return StartVerdict.WAIT
        if start_is_void(held.message, (), row):
            return StartVerdict.DROP
        return judge_start(held.message, row, held.delivery, timestamp(held.received_at))

    async def next(self) -> OrchestrationWorkItem:
        """The next instance with messages, locked. Cancelling the wait loses nothing."""
        while True:
            while not self._ready:
                self._arrived.clear()
                await self._arrived.wait()
            item = self._begun(self._ready.popleft())
            if item is not None:
                return item

    def _queue(self, session: Session) -> None:
        """Make a session ready to be handed out: at once if what it needs is at hand, else once it has been read."""
        self._parked.discard(session)
        if session.is_queued or session.active is not None or not session.waiting:
            return
        session.is_queued = True
        checkpoint = session.checkpoint
        if checkpoint is not None and checkpoint.serves(session.waiting[0]):
            self._now_ready(session)
        else:
            self._background.spawn(self._load(session), f"read the history of instance {session.instance_id}")

    def _now_ready(self, session: Session) -> None:
        self._ready.append(session)
        self._arrived.set()

    async def _load(self, session: Session) -> None:
        while session.waiting:
            try:
                async with self._loads:
                    session.checkpoint = await self._checkpoints.load(session.instance_id, session.waiting[0].wanted)
                break
            except HubUnavailable as problem:
                _log.warning("Could not read the history of instance %s: %s", session.instance_id, problem)
                await self._clock.sleep(_RETRY_S)
            except HubError as problem:
                _log.error("Instance %s cannot go on: %s", session.instance_id, problem)
                for held in session.waiting.popleft().messages:
                    await self._held.abandon(held)
        self._now_ready(session)

    def _begun(self, session: Session) -> OrchestrationWorkItem | None:
        """A work item of the session's first batch; None if nothing of it can be processed now."""
        session.is_queued = False
        if not session.waiting or session.active is not None:
            return None
        checkpoint = session.checkpoint
        if checkpoint is None or not checkpoint.serves(session.waiting[0]):
            self._queue(session)
            return None
        batch = self._sessions.activate(session)
        batch.messages, repeated = without_repeated_starts(batch.messages, checkpoint, self._replaced)
        if repeated:
            deleted = self._let_go(self._held.delete(held) for held in repeated)
            self._background.spawn(deleted, "delete the start of what has begun")
        messages, rest = split(batch, checkpoint)
        history = (checkpoint.history or ()) if checkpoint.is_current(batch.execution_id) else ()
        batch.messages, early = in_order(messages, history)
        batch.execution_id = batch.execution_id or checkpoint.execution_id
        if rest:
            session.waiting.appendleft(Batch(None, rest))
        for held in early:
            self._background.spawn(self._held.abandon(held), "hand back an answer that came before its question")
        if not batch.messages:
            self._release(session, checkpoint)
            return None
        lock = WorkLock(session, batch, checkpoint)
        return OrchestrationWorkItem(session.instance_id, history, [held.message for held in batch.messages], lock)

    async def commit(self, item: OrchestrationWorkItem, decision: Decision) -> None:
        """See WorkSource."""
        lock: WorkLock = item.lock
        if lock.is_over:
            raise WorkItemLockLost(f"The work item of instance {item.instance_id} was let go before it was committed.")
        lock.is_over = True
        read = [held for position, held in enumerate(lock.batch.messages) if position not in decision.unread]
        unread = [held for position, held in enumerate(lock.batch.messages) if position in decision.unread]
        try:
            checkpoint = await self._committed(item, lock.checkpoint, decision)
        except HubError:
            await self._undone(lock)
            raise
        self._release(lock.session, checkpoint, unread, is_parked=not read and not decision.new_events)
        await self._let_go(self._held.delete(held) for held in read)

    async def _committed(self, item: OrchestrationWorkItem, base: Checkpoint, decision: Decision) -> Checkpoint | None:
        """Send and write what was decided; returns what to keep at hand for the next work item.

        Nothing of an instance that is over, or that had nothing to write (and may be): a rewind by another host would go unnoticed.
        """
        await self._delivery.send_all([_sent_by(item.lock.batch.execution_id, message) for message in decision.outbound])
        if decision.new_events:
            written = await self._checkpoints.write(item.instance_id, base, item.history, decision)
            if decision.replaces_history and not is_entity(item.instance_id):
                self._replaced.append(item.lock.batch.execution_id or "")
            return None if written.is_over else written.checkpoint
        if decision.unread:
            return base
        if decision.row is not None:
            await self._checkpoints.change_row(item.instance_id, decision.row)
        elif item.history:
            await self._checkpoints.repair_row(item.instance_id, base)
        return None

    async def abandon(self, item: OrchestrationWorkItem) -> None:
        """See WorkSource."""
        lock: WorkLock = item.lock
        if not lock.is_over:
            lock.is_over = True
            await self._undone(lock)

    async def _undone(self, lock: WorkLock) -> None:
        """Release the instance; its messages come again after a back-off."""
        self._release(lock.session, None)
        await self._let_go(self._held.abandon(held) for held in lock.batch.messages)

    def _release(self, session: Session, checkpoint: Checkpoint | None, unread: Sequence[Held] = (), *, is_parked: bool = False) -> None:
        """Take an instance back. A parked one has messages that it cannot do anything with before more arrive."""
        has_news = bool(session.arrived or session.waiting)
        self._sessions.release(session, checkpoint, unread)
        if session.queue not in self._delivery.control:
            self._background.spawn(self.drop(session.queue), "show messages of a partition that changed hands")
        elif has_news or not is_parked:
            self._queue(session)
        else:
            self._parked.add(session)

    @property
    def parked(self) -> int:
        """Messages held of instances that wait for others: they must not keep those others out."""
        return sum(len(batch.messages) for session in self._parked for batch in session.waiting)

    @staticmethod
    async def _let_go(works: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Let go of messages; what cannot be let go comes again and is found done."""
        for outcome in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(outcome, HubError):
                _log.warning("Could not let go of a message: %s", outcome)
            elif isinstance(outcome, BaseException):
                raise outcome

    async def drop(self, queue: str) -> None:
        """Let go of a partition: what waits is shown to its new owner, what is handed out may still be committed."""
        self._parked = {session for session in self._parked if session.queue != queue}
        await self._let_go(self._held.release(held) for held in self._sessions.drop_queue(queue))

    def is_busy(self, queue: str) -> bool:
        """Whether an instance of that partition is handed out."""
        return self._sessions.active_in(queue)

    def forget(self, instance_id: str) -> None:
        """Read the instance's history again before its next work item: someone changed it."""
        self._sessions.forget(instance_id)

    async def close(self) -> None:
        """End what still runs."""
        await self._background.close()


def _sent_by(execution_id: str | None, message: TaskMessage) -> TaskMessage:
    """The message as the reference sends it: its sender is the generation the work item began with, even if another one asked for it."""
    if message.sender is None or execution_id is None:
        return message
    return msgspec.structs.replace(message, sender=msgspec.structs.replace(message.sender, execution_id=execution_id))
