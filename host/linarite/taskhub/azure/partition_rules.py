"""Who owns which control queue: what one pass over the partitions table decides. No IO, no clock.

A partition has an owner, and for a while may have a next one who is stealing it: the owner then drains it, lets go, and the next one
claims it. A lease that has run out may be claimed by anyone.
Source: DurableTask.AzureStorage, TablePartitionManager.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from linarite.storage.tables import Instant, Row, Value
from linarite.timestamps import moment, seven_digits, timestamp


@dataclass(frozen=True, slots=True)
class Partition:
    """One row of the partitions table: a control queue and its owner."""

    queue: str
    owner: str | None = None
    next_owner: str | None = None
    owned_since: datetime | None = None
    last_renewal: datetime | None = None
    expires_at: datetime | None = None
    is_draining: bool = False
    etag: str = ""

    def is_ours(self, me: str) -> bool:
        """Whether its messages are ours to receive: owned, and neither wanted by another nor draining."""
        return self.owner == me and not self.next_owner and not self.is_draining


class Drain(Enum):
    """How far this host is with letting go of a partition."""

    NOT_BEGUN = 0
    RUNNING = 1
    DONE = 2


def after_pass(partition: Partition, me: str, now: datetime, lease: timedelta, drain: Drain) -> Partition:
    """What this host makes of a partition in one pass; the same value if it has nothing to do."""
    if _is_free(partition, me, now):
        return replace(partition, owner=me, next_owner=None, owned_since=now, last_renewal=now, expires_at=now + lease, is_draining=False)
    if partition.owner == me:
        return _renewed_or_let_go(partition, now, lease, drain)
    if partition.is_draining and not partition.next_owner:
        return replace(partition, next_owner=me)  # its owner is shutting down
    return partition


def _is_free(partition: Partition, me: str, now: datetime) -> bool:
    if partition.expires_at is not None and now >= partition.expires_at:
        return True
    return not partition.owner and partition.next_owner in (None, me)


def _renewed_or_let_go(partition: Partition, now: datetime, lease: timedelta, drain: Drain) -> Partition:
    if not partition.next_owner:
        return replace(partition, last_renewal=now, expires_at=now + lease, is_draining=False)
    if drain is Drain.DONE:
        return replace(partition, owner=None, is_draining=False)
    return replace(partition, last_renewal=now, expires_at=now + lease, is_draining=True)


def released(partition: Partition) -> Partition:
    """What a host that stops leaves behind."""
    return replace(partition, owner=None, is_draining=False)


def to_steal(partitions: Sequence[Partition], me: str) -> list[str]:
    """The queues to take from hosts that own more than their share. A partition counts for who is to have it next."""
    future = {partition.queue: partition.next_owner or partition.owner for partition in partitions}
    counts = Counter(owner for owner in future.values() if owner)
    mine = counts.pop(me, 0)
    average = len(partitions) // (len(counts) + 1)
    stolen: list[str] = []
    for other, theirs in counts.items():
        want, excess = average - mine, theirs - average
        if want < 0:
            break
        if want == 0 and excess > 1:
            want = 1
        available = [p.queue for p in partitions if p.owner == other and not p.next_owner and not p.is_draining]
        taken = available[: max(min(want, excess), 0)]
        stolen += taken
        mine += len(taken)
    return stolen


def is_changing_hands(partitions: Sequence[Partition], me: str) -> bool:
    """Whether this host waits for a partition, or someone waits for one of its own."""
    return any(p.next_owner == me or (p.owner == me and p.next_owner) for p in partitions)


def partition_of(row: Row) -> Partition:
    """A partition from its row."""
    columns = row.columns
    return Partition(
        queue=row.row_key,
        owner=_text(columns, "CurrentOwner"),
        next_owner=_text(columns, "NextOwner"),
        owned_since=_time(columns, "OwnedSince"),
        last_renewal=_time(columns, "LastRenewal"),
        expires_at=_time(columns, "ExpiresAt"),
        is_draining=bool(columns.get("IsDraining", False)),
        etag=row.etag,
    )


def row_of(partition: Partition) -> Row:
    """The row of a partition; what is None is no column."""
    columns: dict[str, Value | None] = {
        "CurrentOwner": partition.owner,
        "NextOwner": partition.next_owner,
        "OwnedSince": _instant(partition.owned_since),
        "LastRenewal": _instant(partition.last_renewal),
        "ExpiresAt": _instant(partition.expires_at),
        "IsDraining": partition.is_draining,
    }
    return Row("", partition.queue, {name: value for name, value in columns.items() if value is not None}, partition.etag)


def _text(columns: Mapping[str, Value], name: str) -> str | None:
    return str(columns[name]) if columns.get(name) else None


def _time(columns: Mapping[str, Value], name: str) -> datetime | None:
    return moment(str(columns[name])) if name in columns else None


def _instant(value: datetime | None) -> Value | None:
    return None if value is None else Instant(seven_digits(timestamp(value)))
