"""Timer triggers: fires a function when its schedule says so, never twice at once.

A run that is due while another is under way is made up for once when that ends, however many were missed. Whether a run succeeds does
not matter here; retries are the invoker's.
Source: azure-webjobs-sdk-extensions, TimerListener and TimerTriggerBinding; recorded log lines and invocations.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo

from linarite.clock import Clock
from linarite.errors import LinariteError, UserCodeFailed
from linarite.invocation import Datum, json_text, string
from linarite.listeners.protocol import Invoker
from linarite.listeners.schedule_monitor import ScheduleMonitor
from linarite.listeners.schedule_status import ScheduleStatus, after_run, check_status, local_text, trigger_json
from linarite.metadata import Function
from linarite.schedule import is_too_frequent_to_monitor, occurrence_text, occurrences, parse_schedule

log = logging.getLogger("Host.Triggers.Timer")

_WHY = "UnscheduledInvocationReason"
_LONGEST_SLEEP_S = timedelta(days=24).total_seconds()


class TimerListener:
    """Fires one timer function. Raises BadSchedule when made for one whose schedule is none.

    `function` has its settings resolved; its schedule is read in `zone`; `monitor` is used if the function wants it.
    """

    def __init__(self, function: Function, invoker: Invoker, monitor: ScheduleMonitor, clock: Clock, zone: tzinfo) -> None:
        self._function = function
        self._name = function.name
        self._invoker = invoker
        self._clock = clock
        self._zone = zone
        self._schedule = parse_schedule(function.trigger.text("schedule"))
        self._runs_on_startup = function.trigger.flag("runOnStartup")
        self._monitor = self._monitor_if_wanted(monitor)
        self._status = ScheduleStatus(None, None, None)
        self._task: asyncio.Task[None] | None = None
        self._firing = False
        self._stopping = False

    def _monitor_if_wanted(self, monitor: ScheduleMonitor) -> ScheduleMonitor | None:
        if not self._function.trigger.flag("useMonitor", default=True):
            return None
        if is_too_frequent_to_monitor(self._schedule, self._clock.now(), self._zone):
            log.debug("UseMonitor changed to false based on schedule frequency.")
            return None
        return monitor

    @property
    def next_due(self) -> datetime | None:
        """When it fires next (UTC); None before `start` and for a schedule that never comes."""
        return self._status.next

    async def start(self) -> None:
        """Look up what was missed, say what comes, and begin to wait."""
        now = self._clock.now()
        log.debug("The '%s' timer is using the schedule '%s' and the local time zone: '%s'", self._name, self._schedule, self._zone)
        is_past_due = await self._restore(now)
        self._log_occurrences(now)
        self._stopping = False
        self._task = asyncio.create_task(self._run(is_past_due), name=f"timer {self._name}")

    async def stop(self) -> None:
        """Fire no more; returns when a run under way has ended. Cancelled, it leaves that run."""
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping = True
        if not self._firing:
            task.cancel()
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        if not task.cancelled():
            task.result()  # a mistake of ours is not swallowed

    async def manual_trigger(self, given: str | None) -> tuple[dict[str, Datum], dict[str, Datum]]:
        """The trigger's value and metadata for a run by hand: the stored status, not past due. `given` is the request's `input`."""
        status = await self._monitor.get(self._name) if self._monitor else None
        own_name = {} if given is None else {self._function.trigger.name: string(given)}
        return self._value(status, is_past_due=False), {**own_name, **self._metadata()}

    async def _restore(self, now: datetime) -> bool:
        """Take up the stored status; whether a run was missed."""
        stored = await self._stored_status() if self._monitor else None
        checked = check_status(stored, self._schedule, now, self._zone)
        self._status = checked.status
        if self._monitor and checked.to_store:
            await self._store(checked.to_store)
        return checked.is_past_due

    async def _stored_status(self) -> ScheduleStatus | None:
        assert self._monitor is not None
        try:
            status = await self._monitor.get(self._name)
        except LinariteError as problem:
            log.error("The status of the timer '%s' cannot be read, so what it may have missed stays unknown. %s", self._name, problem)
            return None
        log.debug("Function '%s' initial status: %s", self._name, self._status_text(status))
        return status

    async def _store(self, status: ScheduleStatus) -> None:
        assert self._monitor is not None
        try:
            await self._monitor.put(self._name, status)
        except LinariteError as problem:
            log.error("The status of the timer '%s' cannot be stored. %s", self._name, problem)
            return
        log.debug("Function '%s' updated status: %s", self._name, self._status_text(status))

    def _status_text(self, status: ScheduleStatus | None) -> str:
        instants = (status.last, status.next, status.last_updated) if status else (None, None, None)
        last, due, updated = (local_text(instant, self._zone) if instant else "" for instant in instants)
        return f"Last='{last}', Next='{due}', LastUpdated='{updated}'"

    def _log_occurrences(self, now: datetime) -> None:
        coming = occurrences(self._schedule, now, self._zone, 5)
        if not coming:
            log.warning("The schedule of '%s' (%s) names a day that does not exist; it never fires.", self._name, self._schedule)
            return
        lines = "".join(f"\n{occurrence_text(instant, self._zone)}" for instant in coming)
        log.info("The next 5 occurrences of the '%s' schedule (%s) will be:%s", self._name, self._schedule, lines)

    async def _run(self, is_past_due: bool) -> None:
        if is_past_due:
            log.debug("Function '%s' is past due on startup. Executing now.", self._name)
            assert self._status.next is not None
            missed = local_text(self._status.next, self._zone)
            await self._fire({_WHY: "IsPastDue", "OriginalSchedule": missed}, is_past_due=True)
        elif self._runs_on_startup:
            log.debug("Function '%s' is configured to run on startup. Executing now.", self._name)
            await self._fire({_WHY: "RunOnStartup"})
        while not self._stopping:
            await self._wait_until_due()
            await self._fire()

    async def _wait_until_due(self) -> None:
        """Sleep until the next run is due; a sleep that ends too early, or was cut short for its length, goes on."""
        due = self._status.next
        if due is None:
            await asyncio.get_running_loop().create_future()
        while due is not None and (wait := (due - self._clock.now()).total_seconds()) > 0:
            await self._clock.sleep(min(wait, _LONGEST_SLEEP_S))

    async def _fire(self, details: Mapping[str, str] | None = None, is_past_due: bool = False) -> None:
        """Run the function once and remember it. `details` say why, if not because it is due."""
        self._firing = True
        started_at = self._clock.now()
        try:
            await self._invoke(f"Timer fired at {local_text(started_at, self._zone)}", details, is_past_due)
            self._status = after_run(self._status, self._schedule, started_at, self._zone)
            if self._monitor:
                await self._store(self._status)
        finally:
            self._firing = False

    async def _invoke(self, reason: str, details: Mapping[str, str] | None, is_past_due: bool) -> None:
        value = self._value(self._status if self._monitor else None, is_past_due)
        try:
            await self._invoker.invoke(self._function, value, self._metadata(), reason=reason, details=details)
        except (UserCodeFailed, LinariteError):
            pass  # logged by the invoker; the schedule goes on
        except Exception:
            log.exception("Error occurred during scheduled invocation for '%s'.", self._name)

    def _value(self, status: ScheduleStatus | None, is_past_due: bool) -> dict[str, Datum]:
        return {self._function.trigger.name: json_text(trigger_json(self._schedule, status, is_past_due, self._zone))}

    def _metadata(self) -> dict[str, Datum]:
        return {"TimerTrigger": string(self._clock.now().astimezone(self._zone).strftime("%m/%d/%Y %H:%M:%S"))}
