"""The one way in to user code: an id, a deadline, log lines, retries, inputs read before and outputs written after.

Whoever notices that something happened calls `invoke`; nobody else asks a worker to run a function.
Source: azure-webjobs-sdk, FunctionExecutor and its log messages; functions-host sections 7.1, 7.2, 9.5.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from linarite.bindings.protocol import NO_BINDINGS, BindingTypes, Call
from linarite.clock import Clock, call_off
from linarite.errors import AppError, FunctionTimedOut, LinariteError, UserCodeFailed
from linarite.function_log import FunctionLog, logger_of
from linarite.invocation import Datum, Invocation, InvocationResult, RetryAttempt, SoughtTask
from linarite.metadata import Binding, Function, RetrySettings
from linarite.timespans import timespan_text
from linarite.workers.protocol import WorkerChannel

HOST_APIS = "This function was programmatically called via the host APIs."
"""Reason of an invocation over HTTP, or by hand."""

log = logging.getLogger(__name__)

_NONE: Mapping[str, Datum] = {}


class BindingNotSupported(AppError):
    """A function was called whose binding nothing here can read or write."""


@dataclass(slots=True)
class InFlight:
    """An invocation that has not ended. `task` waits for it."""

    id: str
    function: Function
    since: datetime
    task: asyncio.Task[object]
    is_expired: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    """What has to be done around a function's calls besides calling it."""

    function: Function
    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]


class Invoker:
    """Calls functions through `channel`, which may be exchanged between two calls.

    `timeout_s`: how long an invocation may take; None: for ever. `retry`: policy of functions that have none of their own.
    Belongs to the host's loop; `start` before the first call, `stop` after the last.
    """

    def __init__(
        self,
        channel: WorkerChannel,
        clock: Clock,
        log: FunctionLog,
        *,
        bindings: BindingTypes = NO_BINDINGS,
        timeout_s: float | None = None,
        retry: RetrySettings | None = None,
    ) -> None:
        self.channel = channel
        self._clock = clock
        self._log = log
        self.bindings = bindings
        self._timeout_s = timeout_s
        self._retry = retry
        self._in_flight: dict[str, InFlight] = {}
        self._plans: dict[str, _Plan] = {}
        self._busy = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._aborting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to keep deadlines."""
        if self._timeout_s is not None:
            self._watch = asyncio.create_task(self._keep_deadlines(self._timeout_s), name="deadlines")

    async def stop(self) -> None:
        """Keep deadlines no more. Waits for nothing: see `drain`."""
        tasks = [task for task in (self._watch, *self._aborting) if task is not None]
        self._watch = None
        await call_off(*tasks)

    @property
    def in_flight(self) -> Sequence[InFlight]:
        """What runs now, oldest first."""
        return tuple(self._in_flight.values())

    async def drain(self, seconds: float) -> Sequence[InFlight]:
        """Wait until nothing runs, up to `seconds`; what still runs then. Nothing is tried again from here on."""
        self._draining.set()
        idle = asyncio.ensure_future(self._idle.wait())
        alarm = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({idle, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            idle.cancel()
            alarm.cancel()
        return self.in_flight

    async def invoke(
        self,
        function: Function,
        inputs: Mapping[str, Datum],
        trigger_metadata: Mapping[str, Datum] = _NONE,
        *,
        reason: str,
        details: Mapping[str, str] | None = None,
        trace_parent: str = "",
        trace_state: str = "",
        is_retried: bool = True,
        seeks: SoughtTask | None = None,
    ) -> InvocationResult:
        """Run a function, again if its policy says so (and `is_retried`); each attempt has an id of its own.

        `inputs` holds the trigger's value. `reason` and `details` are for the log. What remains in the result is for the
        trigger: outputs that a binding here has written are taken out. `seeks` is the invocation's.
        Raises UserCodeFailed, WorkerDied, FunctionTimedOut, or what a binding raised.
        """
        request = _Request(function, inputs, trigger_metadata, reason, details, trace_parent, trace_state, seeks)
        policy = (function.retry or self._retry) if is_retried and not function.is_streamed else None  # nobody has the request again
        if policy is None:
            return await self._attempt(request, None)
        return await self._with_retries(request, policy)

    async def _with_retries(self, request: _Request, policy: RetrySettings) -> InvocationResult:
        attempt = RetryAttempt(retry_count=0, max_retry_count=policy.max_retries)
        log = logger_of(request.function)
        while True:
            try:
                return await self._attempt(request, attempt)
            except (UserCodeFailed, LinariteError) as error:
                count = attempt.retry_count + 1
                if 0 <= policy.max_retries < count:
                    log.error("Function execution failed after '%d' retries.", policy.max_retries)
                    raise
                delay_s = _delay_s(policy, count)
                _say_retry(log, delay_s, count, policy.max_retries)
                if not await self._sleep_unless_draining(delay_s):
                    log.warning("Invocation cancelled - exiting retry loop.")
                    raise
                attempt = RetryAttempt(retry_count=count, max_retry_count=policy.max_retries, failure=str(error))

    async def _sleep_unless_draining(self, seconds: float) -> bool:
        """Whether the sleep was not cut short."""
        draining = asyncio.ensure_future(self._draining.wait())
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({draining, sleep}, return_when=asyncio.FIRST_COMPLETED)
            return not draining.done()
        finally:
            draining.cancel()
            sleep.cancel()

    async def _attempt(self, request: _Request, retry: RetryAttempt | None) -> InvocationResult:
        function, invocation_id = request.function, str(uuid.uuid4())
        running = self._begin(invocation_id, function)
        self._log.executing(function, invocation_id, request.reason, request.details)
        try:
            result = await self._run(request, invocation_id, retry)
        except asyncio.CancelledError:
            if running.is_expired and self._timeout_s is not None:
                if sys.version_info >= (3, 11):
                    running.task.uncancel()  # the cancellation was ours, and ends here
                text = f"Timeout value of {_limit(self._timeout_s)} was exceeded by function: Functions.{function.name}"
                raise self._failed(running, FunctionTimedOut(text)) from None
            self._failed(running, UserCodeFailed("CancelledError", "Whoever asked for the invocation waits no more.", ""))
            raise
        except BaseException as error:
            self._failed(running, error)
            raise
        else:
            self._log.succeeded(function, invocation_id, self._clock.now() - running.since)
            return result
        finally:
            self._end(invocation_id)

    async def _run(self, request: _Request, invocation_id: str, retry: RetryAttempt | None) -> InvocationResult:
        plan = self._plan_of(request.function)
        call: Call | None = None
        inputs = dict(request.inputs)
        if plan.inputs or plan.outputs:
            call = Call(invocation_id, request.function, request.inputs, request.trigger_metadata)
            for binding in plan.inputs:
                inputs[binding.name] = await self.bindings.inputs[binding.type.lower()].read(binding, call)
        result = await self.channel.invoke(
            Invocation(
                id=invocation_id,
                function_id=request.function.id,
                function_name=request.function.name,
                inputs=inputs,
                trigger_metadata=dict(request.trigger_metadata),
                trace_parent=request.trace_parent,
                trace_state=request.trace_state,
                retry=retry,
                seeks=request.seeks,
            )
        )
        return result if call is None or not plan.outputs else await self._write(plan, call, result)

    async def _write(self, plan: _Plan, call: Call, result: InvocationResult) -> InvocationResult:
        """Hand outputs to their bindings; what is left."""
        outputs, returned = dict(result.outputs), result.return_value
        for binding in plan.outputs:
            if binding.name == "$return":
                value, returned = returned, None
            else:
                value = outputs.pop(binding.name, None)
            if value is not None and value.kind != "none":
                await self.bindings.outputs[binding.type.lower()].write(binding, value, call)
        return InvocationResult(return_value=returned, outputs=outputs)

    def _plan_of(self, function: Function) -> _Plan:
        plan = self._plans.get(function.id)
        if plan is None or plan.function is not function:  # loaded anew
            plan = self._plans[function.id] = self._planned(function)
        return plan

    def objection(self, function: Function) -> str | None:
        """Why a call of the function must fail: it has a binding that nothing here can read or write."""
        for binding in _around(function):
            known = self.bindings.inputs if binding.direction == "in" else self.bindings.outputs
            if binding.type.lower() not in known:
                what = f"the {binding.type} {'in' if binding.direction == 'in' else 'out'}put {binding.name} of {function.name}"
                place = f" ({function.source})" if function.source else ""
                return f"Nothing here implements {what}{place}. Implemented: {', '.join(sorted(known)) or 'none'}."
        return None

    def _planned(self, function: Function) -> _Plan:
        if objection := self.objection(function):
            raise BindingNotSupported(objection)
        inputs = tuple(binding for binding in _around(function) if binding.direction == "in")
        return _Plan(function, inputs, tuple(binding for binding in _around(function) if binding.direction != "in"))

    def _begin(self, invocation_id: str, function: Function) -> InFlight:
        task = asyncio.current_task()
        assert task is not None
        running = self._in_flight[invocation_id] = InFlight(invocation_id, function, self._clock.now(), task)
        self._log.began(invocation_id, function)
        if len(self._in_flight) == 1:
            self._busy.set()
            self._idle.clear()
        return running

    def _end(self, invocation_id: str) -> None:
        del self._in_flight[invocation_id]
        self._log.ended(invocation_id)
        if not self._in_flight:
            self._busy.clear()
            self._idle.set()

    def _failed(self, running: InFlight, error: BaseException) -> BaseException:
        self._log.failed(running.function, running.id, self._clock.now() - running.since, error)
        return error

    async def _keep_deadlines(self, timeout_s: float) -> None:
        """Expire what runs too long. Whoever starts while this sleeps is due later than the oldest, so nobody is missed."""
        timeout = timedelta(seconds=timeout_s)
        while True:
            await self._busy.wait()
            oldest = next((running for running in self._in_flight.values() if not running.is_expired), None)
            remaining_s = timeout_s if oldest is None else (oldest.since + timeout - self._clock.now()).total_seconds()
            if oldest is not None and remaining_s <= 0:
                self._expire(oldest)
            else:
                await self._clock.sleep(remaining_s)

    def _expire(self, running: InFlight) -> None:
        assert self._timeout_s is not None
        self._log.expired(running.function, running.id, _limit(self._timeout_s))
        running.is_expired = True
        running.task.cancel()
        task = asyncio.create_task(self._abort(running.id), name=f"abort {running.id}")
        self._aborting.add(task)
        task.add_done_callback(self._aborting.discard)

    async def _abort(self, invocation_id: str) -> None:
        try:
            await self.channel.abort(invocation_id)
            self._log.replaced()
        except LinariteError as error:
            log.error("%s", error)


@dataclass(frozen=True, slots=True)
class _Request:
    """What `invoke` was asked, for each attempt."""

    function: Function
    inputs: Mapping[str, Datum]
    trigger_metadata: Mapping[str, Datum]
    reason: str
    details: Mapping[str, str] | None
    trace_parent: str
    trace_state: str
    seeks: SoughtTask | None


def _limit(timeout_s: float) -> str:
    return timespan_text(timedelta(seconds=timeout_s))


def _around(function: Function) -> list[Binding]:
    """The bindings that are read before a call or written after it."""
    return [binding for binding in function.bindings if not binding.is_trigger and binding.type.lower() != "http"]


def _delay_s(policy: RetrySettings, count: int) -> float:
    """How long to wait before the count-th retry: always the same, or from the minimum up, doubling, a little at random."""
    if not policy.strategy.lower().startswith("exponential"):
        return policy.delay_s
    if count == 1:
        return policy.minimum_s
    doublings: float = 2.0 ** min(count - 2, 60)
    return min(policy.minimum_s * (1 + random.uniform(0.8, 1.2) * doublings), policy.maximum_s)


def _say_retry(log: logging.Logger, delay_s: float, count: int, maximum: int) -> None:
    text = timespan_text(timedelta(seconds=delay_s))
    log.info("Waiting for `%s` before retrying function execution. Next attempt: '%d'. Max retry count: '%d'", text, count, maximum)
