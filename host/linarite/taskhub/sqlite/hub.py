"""The embedded task hub: everything a hub promises, on one SQLite file, or on none for a hub that lives as long as its process.

The file has all there is; what waits is also known in memory, so that nobody looks for work: who commits a message wakes who takes it.
One process uses a file at a time, so locks need no more than memory. Nothing here runs on its own except the clock's next wake-up.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from linarite.clock import Clock
from linarite.durable.decision import Decision
from linarite.durable.events import HistoryEvent, Status
from linarite.durable.instances import Instance, instance_update
from linarite.durable.messages import TaskMessage
from linarite.errors import WorkItemLockLost
from linarite.taskhub.protocol import ActivityWorkItem, InstanceQuery, OrchestrationWorkItem, Page
from linarite.taskhub.sqlite import checkpoints, control, instance_rows, stored_messages
from linarite.taskhub.sqlite.checkpoints import Checkpoint, Commit, Remembered, Written
from linarite.taskhub.sqlite.control import Created, Rewound
from linarite.taskhub.sqlite.deliveries import ActivityLock, Deliveries, InstanceLock, use_up
from linarite.taskhub.sqlite.file import explained, open_file
from linarite.taskhub.sqlite.host_lock import HostLock
from linarite.taskhub.sqlite.stored_messages import Parcel, parcel
from linarite.taskhub.sqlite.writer import InlineWriter, ThreadWriter, Writer
from linarite.timestamps import timestamp

_REMEMBERED = 64_000_000
"""Characters of history that are kept in memory."""


class SqliteHub:
    """Implements `TaskHub`. `path` None: in memory."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._host_lock = HostLock(path) if path else None
        kind = ThreadWriter if path else InlineWriter
        self._writer: Writer = kind(partial(open_file, path), partial(explained, path=path), self._note)
        self._deliveries = Deliveries(clock, self._note)
        self._remembered = Remembered(_REMEMBERED)
        self._numbers = itertools.count(1)
        self._idlers: list[asyncio.Future[None]] = []

    # life

    async def start(self) -> None:
        """Open the file. Raises HubFileUnusable if another host has it, or if it is damaged, newer than this, or something else."""
        if self._host_lock:
            self._host_lock.acquire(self._clock.now())
        try:
            await self._writer.start()
            messages, activities = await self._writer.read(stored_messages.read_all)
        except BaseException:
            await self.stop()
            raise
        self._numbers = itertools.count(max((stored.seq for stored in (*messages[-1:], *activities[-1:])), default=0) + 1)
        for stored in messages:
            self._deliveries.arrive(stored)
        for stored in activities:
            self._deliveries.arrive_activity(stored)

    async def start_work(self) -> None:
        """Begin to take work items."""
        self._deliveries.open()

    async def stop_work(self) -> None:
        """Take no more; whoever waits for an item goes on waiting."""
        self._deliveries.pause()

    async def stop(self) -> None:
        """Write what was handed in, and close the file. What is held comes again when the file is opened again."""
        await self._writer.stop()
        await self._deliveries.close()
        if self._host_lock:
            self._host_lock.release()

    # rest

    @property
    def is_idle(self) -> bool:
        """Nothing can be taken now, nothing is held, nothing is being written. What waits for a time does not count."""
        return self._deliveries.is_idle and not self._writer.pending

    @property
    def is_writing(self) -> bool:
        """Something is being read or written, which nobody needs to wake."""
        return bool(self._writer.pending)

    async def idle(self) -> None:
        """Wait until it is idle."""
        while not self.is_idle:
            idler: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idlers.append(idler)
            await idler

    def next_due(self) -> datetime | None:
        """When the clock will next bring work: a delayed message, or the end of a back-off."""
        return self._deliveries.next_due()

    def _note(self) -> None:
        if self._idlers and self.is_idle:
            idlers, self._idlers = self._idlers, []
            for idler in idlers:
                if not idler.done():
                    idler.set_result(None)

    # orchestrations

    async def next_orchestration(self) -> OrchestrationWorkItem:
        """Wait for the next instance that has unread messages, and lock it. Cancelling the wait loses nothing."""
        while True:
            lock = await self._deliveries.next_instance()
            try:
                item = await self._item(lock)
            except asyncio.CancelledError:
                self._deliveries.put_back(lock)
                raise
            except Exception:
                self._deliveries.abandon(lock)
                raise
            if item is not None:
                return item
            self._deliveries.release(lock, ())

    async def _item(self, lock: InstanceLock) -> OrchestrationWorkItem | None:
        """What is to be done for a locked instance; None if its messages were taken back while they were read."""
        instance_id = lock.mailbox.instance_id
        lock.checkpoint = self._remembered.get(instance_id) or await self._load(instance_id)
        batch = lock.mailbox.batch(lock.checkpoint)
        found: dict[int, TaskMessage] = {}
        if missing := [stored.seq for stored in batch if stored.message is None]:
            found = await self._writer.read(partial(stored_messages.bodies, seqs=missing))
        messages = [(stored.seq, stored.message or found[stored.seq]) for stored in batch if stored.message or stored.seq in found]
        if not messages:
            return None
        history = lock.checkpoint.history_for(batch[0].execution_id) if lock.checkpoint else ()
        lock.has_history = bool(history)
        lock.seqs = tuple(seq for seq, _ in messages)
        return OrchestrationWorkItem(instance_id, history, [message for _, message in messages], lock)

    async def _load(self, instance_id: str) -> Checkpoint | None:
        return await self._writer.write(partial(checkpoints.load, instance_id=instance_id), partial(self._remembered.put, instance_id))

    async def commit(self, item: OrchestrationWorkItem, decision: Decision) -> None:
        """Checkpoint the decision and release the item, in one transaction.

        Raises WorkItemLockLost if the instance was purged, started anew or rewound meanwhile, or the hub stopped: nothing was written, and
        the messages come again. After any other error likewise, and the item has been abandoned.
        """
        lock: InstanceLock = item.lock
        commit = self._commit_of(item, decision)
        use_up(lock)
        await self._writer.write(
            partial(checkpoints.write, commit=commit),
            partial(self._committed, lock, decision, commit),
            partial(self._deliveries.abandon, lock),
        )

    def _commit_of(self, item: OrchestrationWorkItem, decision: Decision) -> Commit:
        lock: InstanceLock = item.lock
        revision = next(self._numbers)
        return Commit(
            instance_id=item.instance_id,
            before=lock.checkpoint,
            revision=revision,
            values=self._row_values(lock, decision),
            events=checkpoints.encoded(decision.new_events),
            replaces=decision.replaces_history or not lock.has_history,
            sent=self._parcels(decision.outbound),
            read=[seq for at, seq in enumerate(lock.seqs) if at not in decision.unread],
            is_over=decision.row is not None and isinstance(decision.row.status, Status) and decision.row.status.is_terminal,
        )

    def _row_values(self, lock: InstanceLock, decision: Decision) -> instance_rows.Values | None:
        if decision.new_events:
            update = instance_update(
                decision.new_events,
                execution_id=decision.execution_id,
                custom_status=decision.custom_status,
                now=timestamp(self._clock.now()),
            )
            values = instance_rows.values_of(update)
            return values if lock.has_history else {**instance_rows.BLANK, **values}
        if decision.row is not None and lock.checkpoint is not None and not lock.checkpoint.chunks:
            return instance_rows.values_of(decision.row)
        return None

    def _parcels(self, messages: Sequence[TaskMessage]) -> list[Parcel]:
        return [parcel(next(self._numbers), message) for message in messages]

    def _committed(self, lock: InstanceLock, decision: Decision, commit: Commit, written: Written | None) -> None:
        instance_id = commit.instance_id
        if written is None:
            self._deliveries.release(lock, ())
            raise WorkItemLockLost(f"Instance {instance_id!r} was purged, started anew or rewound meanwhile; nothing was written.")
        if commit.values is not None:
            self._remembered.put(instance_id, checkpoints.after(commit, decision.new_events, decision.execution_id, written.key))
        self._deliveries.take_back(instance_id, written.taken_back)
        self._deliveries.post(commit.sent)
        self._deliveries.release(lock, commit.read, is_stuck=not decision.new_events and not commit.read)

    async def abandon(self, item: OrchestrationWorkItem) -> None:
        """Release the item undecided; its messages come again after 2, 4, 8, … seconds. Nothing happens if it is no longer held."""
        lock: InstanceLock = item.lock
        if lock.is_live:
            use_up(lock)
            self._deliveries.abandon(lock)

    # activities

    async def next_activity(self) -> ActivityWorkItem:
        """Wait for the next activity request, and lock it. Cancelling the wait loses nothing."""
        lock = await self._deliveries.next_activity()
        message = lock.stored.message
        try:
            if message is None:
                message = await self._writer.read(partial(stored_messages.activity_body, seq=lock.stored.seq))
        except asyncio.CancelledError:
            self._deliveries.put_back_activity(lock)
            raise
        except Exception:
            self._deliveries.abandon_activity(lock)
            raise
        return ActivityWorkItem(message, lock.stored.deliveries + 1, lock)

    async def complete(self, item: ActivityWorkItem, answer: TaskMessage) -> None:
        """Send the answer and forget the request, in one transaction. After an error neither is done, and the item has been abandoned.

        The answer is handed out while it is still being written: an episode has no effect before its commit, and that is written later.
        """
        lock: ActivityLock = item.lock
        sent = parcel(next(self._numbers), answer)
        use_up(lock)
        self._deliveries.post([sent])
        await self._writer.write(
            partial(stored_messages.replace_activity, seq=lock.stored.seq, answer=sent),
            lambda _: self._deliveries.release_activity(lock),
            partial(self._unanswered, lock, sent),
        )

    def _unanswered(self, lock: ActivityLock, sent: Parcel) -> None:
        """The answer is not in the file. If an episode has read it nevertheless, the next one is a duplicate, which the core drops."""
        self._deliveries.take_back(sent.stored.instance_id, (sent.stored.seq,))
        self._deliveries.abandon_activity(lock)

    async def abandon_activity(self, item: ActivityWorkItem) -> None:
        """Release the request unanswered; it comes again after 2, 4, 8, … seconds. Nothing happens if it is no longer held."""
        lock: ActivityLock = item.lock
        if lock.is_live:
            use_up(lock)
            self._deliveries.abandon_activity(lock)

    # clients

    async def create(self, start: TaskMessage, overridable: frozenset[Status]) -> None:
        """Start an instance; see the port. What clients had started under that id, and nobody had read, is void."""
        now = timestamp(self._clock.now())
        work = partial(control.create, seq=next(self._numbers), start=start, overridable=overridable, now=now)
        await self._writer.write(work, partial(self._created, start.target.instance_id))

    def _created(self, instance_id: str, created: Created) -> None:
        self._remembered.put(instance_id, created.checkpoint)
        self._deliveries.take_back(instance_id, created.taken_back)
        self._deliveries.post([created.start])

    async def send(self, message: TaskMessage) -> None:
        """Deliver any other message; nothing is said if there is no such instance."""
        sent = parcel(next(self._numbers), message)
        await self._writer.write(partial(stored_messages.insert, parcels=[sent]), lambda _: self._deliveries.post([sent]))

    async def instance(self, instance_id: str) -> Instance | None:
        """The instance's row, or None."""
        return await self._writer.read(partial(instance_rows.read, instance_id=instance_id))

    async def instances(self, query: InstanceQuery) -> Page:
        """One page of instances, ordered by id."""
        return await self._writer.read(partial(instance_rows.read_page, query=query))

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        """The events of the current generation, in order; empty if there is none."""
        checkpoint = await self._writer.read(partial(checkpoints.load, instance_id=instance_id))
        return checkpoint.events if checkpoint else ()

    async def rewind(self, instance_id: str, reason: str | None) -> None:
        """Neutralise the failures of a failed instance and of its failed children; see the port. Raises HubError if one is gone."""
        now = timestamp(self._clock.now())
        work = partial(control.rewind, new_seq=partial(next, self._numbers), instance_id=instance_id, reason=reason, now=now)
        await self._writer.write(work, self._rewound)

    def _rewound(self, rewound: Rewound) -> None:
        for instance_id in rewound.instance_ids:
            self._remembered.forget(instance_id)
        self._deliveries.post(rewound.sent)

    async def purge(self, instance_id: str) -> bool:
        """Delete row, history and unread starts, whatever the status; False if there was no such instance."""
        return await self._writer.write(partial(control.purge, instance_id=instance_id), partial(self._purged, instance_id))

    def _purged(self, instance_id: str, taken_back: frozenset[int] | None) -> bool:
        self._remembered.forget(instance_id)
        self._deliveries.take_back(instance_id, taken_back or ())
        return taken_back is not None
