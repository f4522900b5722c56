"""What is remembered of a timer between two starts of the host, and what it means at the next one. Pure rules.

Times are computed with, so those that the real host has written are cut from seven digits of a second to six.

Source: azure-webjobs-sdk-extensions, ScheduleStatus, ScheduleMonitor (CheckPastDueAsync), TimerInfo; recorded status blobs and invocations.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from linarite.schedule import CronSchedule, Schedule, offset_text
from linarite.timestamps import moment

_FIRST = "0001-01-01T00:00:00+00:00"
_LAST = "9999-12-31T23:59:59.9999999+00:00"
"""The first and last instants that .NET knows: never yet, and never again."""


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """When a timer ran last (None: not yet), is due next (None: never), and when that was worked out. Instants are UTC."""

    last: datetime | None
    next: datetime | None
    last_updated: datetime | None


def local_text(instant: datetime, zone: tzinfo) -> str:
    """An instant in local time with its offset and seven digits of a second, .NET's "o" format."""
    local = instant.astimezone(zone)
    return f"{local:%Y-%m-%dT%H:%M:%S.%f}0{offset_text(local)}"


def status_json(status: ScheduleStatus, zone: tzinfo) -> str:
    """The stored form: compact, local times with offset, zeros at the end of a fraction left out."""
    return json.dumps(_members(status, zone), separators=(",", ":"))


def _members(status: ScheduleStatus, zone: tzinfo) -> dict[str, str]:
    return {
        "Last": _stored(status.last, zone) or _FIRST,
        "Next": _stored(status.next, zone) or _LAST,
        "LastUpdated": _stored(status.last_updated, zone) or _FIRST,
    }


def _stored(instant: datetime | None, zone: tzinfo) -> str:
    if instant is None:
        return ""
    local = instant.astimezone(zone)
    fraction = f".{local:%f}".rstrip("0").rstrip(".")
    return f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{offset_text(local)}"


def parse_status(text: str) -> ScheduleStatus:
    """Read the stored form, ours or the real host's. Raises ValueError."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, found {text[:40]!r}")
    members = {name.lower(): member for name, member in value.items()}
    return ScheduleStatus(_read(members, "last"), _read(members, "next"), _read(members, "lastupdated"))


def _read(members: dict[str, Any], name: str) -> datetime | None:
    text = str(members.get(name) or _FIRST)
    return None if text.startswith(("0001-", "9999-12-31")) else moment(text)


class Checked(NamedTuple):
    """A status as it is at the start of the host: `to_store` is what to write first, if anything."""

    status: ScheduleStatus
    to_store: ScheduleStatus | None
    is_past_due: bool


def check_status(status: ScheduleStatus | None, schedule: Schedule, now: datetime, zone: tzinfo) -> Checked:
    """Whether the timer missed a run while no host was there to fire it.

    A stored `next` that the schedule would not give is a sign that the schedule has been changed; what it missed before does not count.
    """
    if status is None:
        due = schedule.next_after(now, zone)
        # What the first run is told has no LastUpdated, though the stored status has.
        return Checked(ScheduleStatus(None, due, None), ScheduleStatus(None, due, now), is_past_due=False)
    since = status.last or status.last_updated or now
    expected = schedule.next_after(since, zone)
    changed = status.next != expected
    if changed:
        if expected is not None and expected < now:
            since, expected = now, schedule.next_after(now, zone)
        status = ScheduleStatus(None, expected, since)
    return Checked(status, status if changed else None, is_past_due=status.next is not None and now > status.next)


def after_run(status: ScheduleStatus, schedule: Schedule, started_at: datetime, zone: tzinfo) -> ScheduleStatus:
    """The status after a run that began at `started_at`, whether it succeeded or not."""
    return replace(status, last=started_at, next=schedule.next_after(started_at, zone), last_updated=started_at)


def trigger_json(schedule: Schedule, status: ScheduleStatus | None, is_past_due: bool, zone: tzinfo) -> str:
    """What the function is given; `status` None: the timer is not monitored."""
    return json.dumps(
        {
            "Schedule": {"AdjustForDST": isinstance(schedule, CronSchedule)},
            "ScheduleStatus": None if status is None else _members(status, zone),
            "IsPastDue": is_past_due,
        },
        separators=(",", ":"),
    )
