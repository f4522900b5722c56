"""Who gets which waiting message, and when: one holder per instance, messages in order of arrival. In memory; the file has them all.

An instance is busy from the moment it stands in line until nothing waits for it: in line, held, or resting after it was handed back.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from linarite.clock import Clock
from linarite.errors import WorkItemLockLost
from linarite.taskhub.sqlite.agenda import Agenda
from linarite.taskhub.sqlite.checkpoints import Checkpoint
from linarite.taskhub.sqlite.line import Line
from linarite.taskhub.sqlite.stored_messages import Parcel, StoredMessage

_LONGEST_REST_S = 30.0
_KEPT_MESSAGES = 5_000
"""Behind so many in one queue, a message waits in the file only, and is read again when its turn comes."""


def rest_s(deliveries: int) -> float:
    """How long what was handed back stays away, after so many deliveries: 2, 4, 8, … seconds."""
    return min(2.0**deliveries, _LONGEST_REST_S)


@dataclass(eq=False, slots=True)
class Mailbox:
    """What waits for one instance, in order of arrival."""

    instance_id: str
    messages: list[StoredMessage] = field(default_factory=list)
    is_busy: bool = False
    deliveries: int = 0

    def batch(self, checkpoint: Checkpoint | None) -> list[StoredMessage]:
        """The first message and those behind it that address the same generation.

        A message that names none is for the current one; where there is none yet, for that of the first message, which may begin it.
        """
        first = self.messages[0].execution_id
        current = _current(checkpoint) or first
        return list(itertools.takewhile(lambda stored: (stored.execution_id or current) == (first or current), self.messages))

    def let_others_pass(self, stuck: Collection[int], checkpoint: Checkpoint | None) -> bool:
        """Bring what is for other generations before what is stuck; whether there is anything but that."""
        current = _current(checkpoint)
        generations = {stored.execution_id or current for stored in self.messages if stored.seq in stuck}
        self.messages.sort(key=lambda stored: (stored.execution_id or current) in generations)
        return any(stored.seq not in stuck for stored in self.messages)


def _current(checkpoint: Checkpoint | None) -> str | None:
    return checkpoint.execution_id if checkpoint and checkpoint.chunks else None


@dataclass(eq=False, slots=True)
class InstanceLock:
    """The right to commit one work item. It ends with the first commit or abandon, or with the hub.

    `checkpoint`: where the instance stood. `has_history`: the messages address the generation whose history that is.
    """

    mailbox: Mailbox
    checkpoint: Checkpoint | None = None
    has_history: bool = False
    seqs: tuple[int, ...] = ()
    is_live: bool = True


@dataclass(eq=False, slots=True)
class ActivityLock:
    """The right to answer one activity request."""

    stored: StoredMessage
    is_live: bool = True


class Deliveries:
    """Everything that waits, stands in line, is held or rests. `changed` is called when it may have become idle."""

    def __init__(self, clock: Clock, changed: Callable[[], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._agenda = Agenda(clock, changed)
        self._mailboxes: dict[str, Mailbox] = {}
        self._delayed: dict[int, StoredMessage] = {}
        self._held: set[InstanceLock | ActivityLock] = set()
        self._instances: Line[Mailbox] = Line()
        self._activities: Line[StoredMessage] = Line()
        self.next_due = self._agenda.next_due

    @property
    def is_idle(self) -> bool:
        """Nothing can be had now, and nothing is held."""
        due = self._agenda.next_due()
        return not (self._instances or self._activities or self._held) and (due is None or due > self._clock.now())

    def open(self) -> None:
        """Begin to give out."""
        self._instances.open()
        self._activities.open()

    def pause(self) -> None:
        """Give out nothing more; what is held goes on."""
        self._instances.close()
        self._activities.close()

    async def close(self) -> None:
        """End every lock, and forget everything."""
        for lock in self._held:
            lock.is_live = False
        self._held.clear()
        self._mailboxes.clear()
        self._instances = Line()
        self._activities = Line()
        await self._agenda.close()
        self._changed()

    # arriving

    def post(self, parcels: Iterable[Parcel]) -> None:
        """Let messages that are in the file be delivered."""
        for parcel in parcels:
            if parcel.is_activity:
                self.arrive_activity(parcel.stored)
            else:
                self.arrive(parcel.stored)

    def arrive_activity(self, stored: StoredMessage) -> None:
        """An activity request."""
        _thin_out(stored, len(self._activities))
        self._activities.put(stored)

    def arrive(self, stored: StoredMessage) -> None:
        """A message to an instance: delivered when it is due."""
        if stored.due is not None and stored.due > self._clock.now():
            _thin_out(stored, len(self._delayed))
            self._delayed[stored.seq] = stored
            self._agenda.at(stored.due, lambda: self._is_due(stored.seq))
        else:
            self._deliver(stored)

    def take_back(self, instance_id: str, seqs: Collection[int]) -> None:
        """These messages to an instance are no longer in the file."""
        for seq in seqs:
            self._delayed.pop(seq, None)
        mailbox = self._mailboxes.get(instance_id)
        if mailbox is not None:
            mailbox.messages = [stored for stored in mailbox.messages if stored.seq not in seqs]

    def _is_due(self, seq: int) -> None:
        stored = self._delayed.pop(seq, None)
        if stored is not None:
            self._deliver(stored)

    def _deliver(self, stored: StoredMessage) -> None:
        mailbox = self._mailboxes.get(stored.instance_id)
        if mailbox is None:
            mailbox = self._mailboxes[stored.instance_id] = Mailbox(stored.instance_id)
        _thin_out(stored, len(mailbox.messages))
        mailbox.messages.append(stored)
        if not mailbox.is_busy:
            mailbox.is_busy = True
            self._instances.put(mailbox)

    # instances

    async def next_instance(self) -> InstanceLock:
        """Wait for an instance with messages, and lock it. Cancelling the wait loses nothing."""
        while True:
            mailbox = await self._instances.take()
            if mailbox.messages:
                lock = InstanceLock(mailbox)
                self._held.add(lock)
                return lock
            self._let_go(mailbox)
            self._changed()

    def put_back(self, lock: InstanceLock) -> None:
        """Unlock what was not handed out after all."""
        self._held.discard(lock)
        self._instances.put_back(lock.mailbox)

    def release(self, lock: InstanceLock, read: Collection[int], *, is_stuck: bool = False) -> None:
        """Unlock; `read` are done with. Stuck: what is left is delivered again only together with something new."""
        self._held.discard(lock)
        mailbox = lock.mailbox
        mailbox.deliveries = 0
        mailbox.messages = [stored for stored in mailbox.messages if stored.seq not in read]
        is_all_stuck = is_stuck and not mailbox.let_others_pass(lock.seqs, lock.checkpoint)
        self._let_go(mailbox, is_stuck=is_all_stuck)
        self._changed()

    def abandon(self, lock: InstanceLock) -> None:
        """Unlock undecided: its messages come again later."""
        self._held.discard(lock)
        lock.mailbox.deliveries += 1
        when = self._clock.now() + timedelta(seconds=rest_s(lock.mailbox.deliveries))
        self._agenda.at(when, lambda: self._let_go(lock.mailbox))
        self._changed()

    def _let_go(self, mailbox: Mailbox, *, is_stuck: bool = False) -> None:
        """An instance that was busy stands in line again if there is more for it."""
        if mailbox.messages and not is_stuck:
            self._instances.put(mailbox)
            return
        mailbox.is_busy = False
        if not mailbox.messages:
            self._mailboxes.pop(mailbox.instance_id, None)

    # activities

    async def next_activity(self) -> ActivityLock:
        """Wait for an activity request, and lock it. Cancelling the wait loses nothing."""
        stored = await self._activities.take()
        lock = ActivityLock(stored)
        self._held.add(lock)
        return lock

    def put_back_activity(self, lock: ActivityLock) -> None:
        """Unlock what was not handed out after all."""
        self._held.discard(lock)
        self._activities.put_back(lock.stored)

    def release_activity(self, lock: ActivityLock) -> None:
        """It is done with."""
        self._held.discard(lock)
        self._changed()

    def abandon_activity(self, lock: ActivityLock) -> None:
        """It comes again later."""
        self._held.discard(lock)
        lock.stored.deliveries += 1
        when = self._clock.now() + timedelta(seconds=rest_s(lock.stored.deliveries))
        self._agenda.at(when, lambda: self._activities.put(lock.stored))
        self._changed()


def _thin_out(stored: StoredMessage, ahead: int) -> None:
    if ahead >= _KEPT_MESSAGES:
        stored.message = None


def use_up(lock: InstanceLock | ActivityLock) -> None:
    """The one use of a lock begins. Raises WorkItemLockLost if it has ended before."""
    if not lock.is_live:
        raise WorkItemLockLost("The work item is no longer held: it was committed or handed back before, or the hub was stopped.")
    lock.is_live = False
