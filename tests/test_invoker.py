"""The way in to user code: ids, log lines, deadlines, retries, bindings."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from linarite.bindings.protocol import BindingTypes, Call
from linarite.clock import ManualClock
from linarite.errors import FunctionTimedOut, UserCodeFailed, WorkerDied
from linarite.function_log import FunctionLog
from linarite.invocation import NONE, Datum, Invocation, InvocationResult, string
from linarite.invoker import HOST_APIS, BindingNotSupported, Invoker
from linarite.metadata import Binding, Function, RetrySettings
from linarite.workers.protocol import IndexedApp, LogLine

Answer = Callable[[Invocation], InvocationResult]


def binding(type_: str, name: str, direction: str) -> Binding:
    return Binding(name=name, type=type_, direction=direction, raw={"type": type_, "name": name, "direction": direction})


def function_with(*bindings: Binding, retry: RetrySettings | None = None, name: str = "work") -> Function:
    return Function(
        id=f"id of {name}",
        name=name,
        bindings=(binding("timerTrigger", "timer", "in"), *bindings),
        script_file="function_app.py",
        entry_point=name,
        directory="/app",
        def_name=name,
        retry=retry,
    )


@dataclass
class Worker:
    """Answers as it is told; `hold` makes it wait first."""

    answer: Answer = lambda invocation: InvocationResult()
    seen: list[Invocation] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    holding: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> IndexedApp:
        return IndexedApp()

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        self.seen.append(invocation)
        if self.hold is not None:
            self.holding.set()
            await self.hold.wait()
        return self.answer(invocation)

    async def abort(self, invocation_id: str) -> None:
        self.aborted.append(invocation_id)

    async def stop(self, grace_s: float) -> None:
        pass


def failing(times: int = 1_000_000, message: str = "broken") -> Answer:
    left = iter(range(times))

    def answer(_: Invocation) -> InvocationResult:
        if next(left, None) is not None:
            raise UserCodeFailed("ValueError", message, '  File "/app/function_app.py", line 1, in work\n')
        return InvocationResult(return_value=string("done"))

    return answer


@asynccontextmanager
async def invoking(
    worker: Worker,
    clock: ManualClock,
    *,
    bindings: BindingTypes | None = None,
    timeout_s: float | None = None,
    retry: RetrySettings | None = None,
) -> AsyncIterator[Invoker]:
    invoker = Invoker(worker, clock, FunctionLog(), bindings=bindings or BindingTypes({}, {}), timeout_s=timeout_s, retry=retry)
    await invoker.start()
    try:
        yield invoker
    finally:
        await invoker.stop()


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, int, str]]]:
    caplog.set_level(logging.DEBUG)
    return lambda: [(record.name, record.levelno, record.getMessage()) for record in caplog.records if record.name != "asyncio"]


async def test_a_success_is_said_in_the_words_of_the_runtime(
    clock: ManualClock, said: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker()
    async with invoking(worker, clock) as invoker:
        await invoker.invoke(function_with(), {"timer": NONE}, reason="Timer fired", details={"A": "1", "B": "2"})
    [seen] = worker.seen
    assert said() == [
        ("Function.work", logging.INFO, f"Executing 'Functions.work' (Reason='Timer fired', Id={seen.id})"),
        ("Function.work", logging.INFO, "Trigger Details: A: 1, B: 2"),
        ("Function.work", logging.INFO, f"Executed 'Functions.work' (Succeeded, Id={seen.id}, Duration=0ms)"),
    ]
    assert {vars(record)["invocation_id"] for record in caplog.records} == {seen.id}


async def test_a_failure_is_said_once_with_its_stack(clock: ManualClock, said: Callable[[], list[tuple[str, int, str]]]) -> None:
    worker = Worker(failing())
    async with invoking(worker, clock) as invoker:
        with pytest.raises(UserCodeFailed, match="ValueError: broken"):
            await invoker.invoke(function_with(), {}, reason=HOST_APIS)
    assert said()[1:] == [
        (
            "Function.work",
            logging.ERROR,
            f"Executed 'Functions.work' (Failed, Id={worker.seen[0].id}, Duration=0ms)\nResult: Failure\n"
            'Exception: ValueError: broken\nStack:   File "/app/function_app.py", line 1, in work\n',
        )
    ]


async def test_the_duration_is_whole_milliseconds(clock: ManualClock, said: Callable[[], list[tuple[str, int, str]]]) -> None:
    def slowly(_: Invocation) -> InvocationResult:
        clock.advance(1.2345)
        return InvocationResult()

    async with invoking(Worker(slowly), clock) as invoker:
        await invoker.invoke(function_with(), {}, reason="x")
    assert said()[-1][2].endswith("Duration=1234ms)")


@pytest.mark.parametrize(
    ("origin", "category"), [("user", "Function.work.User"), ("system", "Function.work"), ("console", "Host.Function.Console")]
)
async def test_lines_of_user_code_go_under_the_categories_of_the_runtime(
    clock: ManualClock, caplog: pytest.LogCaptureFixture, origin: str, category: str
) -> None:
    caplog.set_level(5)
    log = FunctionLog()

    def talk(invocation: Invocation) -> InvocationResult:
        log.forward(LogLine(invocation_id=invocation.id, level="Warning", logger="my", message="100 % sure", origin=origin))  # type: ignore[arg-type]
        return InvocationResult()

    worker = Worker(talk)
    await Invoker(worker, clock, log).invoke(function_with(), {}, reason="x")
    [record] = [record for record in caplog.records if record.getMessage() == "100 % sure"]
    assert (record.name, record.levelno, vars(record)["invocation_id"]) == (category, logging.WARNING, worker.seen[0].id)


@pytest.mark.parametrize(
    ("origin", "category"), [("user", "Host.Function.Console"), ("system", "Worker.Python"), ("console", "Host.Function.Console")]
)
def test_lines_outside_of_invocations_are_shown_too(caplog: pytest.LogCaptureFixture, origin: str, category: str) -> None:
    caplog.set_level(5)
    FunctionLog().forward(LogLine(invocation_id="", level="Trace", logger="", message="early", origin=origin))  # type: ignore[arg-type]
    assert [(record.name, record.levelno) for record in caplog.records] == [(category, 5)]


async def test_an_invocation_that_takes_too_long_fails_at_once_and_its_worker_is_aborted(
    clock: ManualClock, said: Callable[[], list[tuple[str, int, str]]]
) -> None:
    worker = Worker(hold=asyncio.Event())
    async with invoking(worker, clock, timeout_s=3) as invoker:
        call = asyncio.create_task(invoker.invoke(function_with(), {}, reason="x"))
        await worker.holding.wait()
        clock.advance(2.9)
        await settle()
        assert not call.done()
        clock.advance(0.1)
        with pytest.raises(FunctionTimedOut) as timeout:
            await call
        await settle()
        assert str(timeout.value) == "Timeout value of 00:00:03 was exceeded by function: Functions.work"
        id_ = worker.seen[0].id
        assert worker.aborted == [id_]
        assert [text for _, _, text in said()][1:] == [
            f"Timeout value of 00:00:03 exceeded by function 'Functions.work' (Id: '{id_}'). Initiating cancellation.",
            f"A function timeout has occurred. Restarting worker process executing invocationId '{id_}'.",
            f"Executed 'Functions.work' (Failed, Id={id_}, Duration=3000ms)\n"
            "Timeout value of 00:00:03 was exceeded by function: Functions.work",
            "Restart of language worker process(es) completed.",
        ]
        assert invoker.in_flight == ()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tasks count cancellations from 3.11 on")
async def test_a_timeout_leaves_no_cancellation_with_the_caller(clock: ManualClock) -> None:
    worker = Worker(hold=asyncio.Event())
    left: list[int] = []
    async with invoking(worker, clock, timeout_s=3) as invoker:

        async def caller() -> None:
            with pytest.raises(FunctionTimedOut):
                await invoker.invoke(function_with(), {}, reason="x")
            task: Any = asyncio.current_task()
            left.append(task.cancelling())

        call = asyncio.create_task(caller())
        await worker.holding.wait()
        clock.advance(3)
        await call
    assert left == [0]


async def test_each_invocation_has_its_own_deadline(clock: ManualClock) -> None:
    worker = Worker(hold=asyncio.Event())
    async with invoking(worker, clock, timeout_s=10) as invoker:
        calls = []
        for _ in range(3):
            calls.append(asyncio.create_task(invoker.invoke(function_with(), {}, reason="x")))
            await settle()
            clock.advance(4)
            await settle()
        assert [call.done() for call in calls] == [True, False, False]
        clock.advance(2)
        await settle()
        assert [call.done() for call in calls] == [True, True, False]
        assert worker.hold is not None
        worker.hold.set()
        assert await calls[2] == InvocationResult()
        for call in calls[:2]:
            with pytest.raises(FunctionTimedOut):
                await call


async def test_an_idle_invoker_sleeps_on_no_clock(clock: ManualClock) -> None:
    async with invoking(Worker(), clock, timeout_s=10):
        await settle()
        assert clock.next_wake() is None


async def test_a_fixed_policy_tries_again_after_its_delay_with_a_new_id_each_time(
    clock: ManualClock, said: Callable[[], list[tuple[str, int, str]]]
) -> None:
    worker = Worker(failing(2))
    policy = RetrySettings(strategy="fixedDelay", max_retries=2, delay_s=5)
    async with invoking(worker, clock) as invoker:
        call = asyncio.create_task(invoker.invoke(function_with(retry=policy), {}, reason="x"))
        for _ in range(2):
            await settle()
            clock.advance(5)
        assert (await call).return_value == string("done")
    attempts = [(seen.retry.retry_count, seen.retry.max_retry_count, seen.retry.failure) for seen in worker.seen if seen.retry]
    assert attempts == [(0, 2, None), (1, 2, "ValueError: broken"), (2, 2, "ValueError: broken")]
    assert len({seen.id for seen in worker.seen}) == 3
    waits = [text for _, _, text in said() if text.startswith("Waiting")]
    assert waits == [
        f"Waiting for `00:00:05` before retrying function execution. Next attempt: '{n}'. Max retry count: '2'" for n in (1, 2)
    ]


async def test_an_exhausted_policy_says_so_and_fails(clock: ManualClock, said: Callable[[], list[tuple[str, int, str]]]) -> None:
    policy = RetrySettings(strategy="fixedDelay", max_retries=1, delay_s=0)
    worker = Worker(failing())
    async with invoking(worker, clock, retry=policy) as invoker:
        with pytest.raises(UserCodeFailed):
            await invoker.invoke(function_with(), {}, reason="x")
    assert len(worker.seen) == 2
    assert said()[-1] == ("Function.work", logging.ERROR, "Function execution failed after '1' retries.")


async def test_exponential_delays_double_and_stay_below_the_maximum(clock: ManualClock) -> None:
    policy = RetrySettings(strategy="exponentialBackoff", max_retries=6, minimum_s=10, maximum_s=100)
    worker = Worker(failing())
    async with invoking(worker, clock) as invoker:
        call = asyncio.create_task(invoker.invoke(function_with(retry=policy), {}, reason="x"))
        delays = []
        for _ in range(6):
            await settle()
            wake = clock.next_wake()
            assert wake is not None
            delays.append((wake - clock.now()).total_seconds())
            clock.advance_to(wake)
        with pytest.raises(UserCodeFailed):
            await call
    assert delays[0] == 10
    assert 18 <= delays[1] <= 22
    assert 26 <= delays[2] <= 34
    assert 42 <= delays[3] <= 58
    assert 74 <= delays[4] <= 100
    assert delays[5] == 100


async def test_a_policy_without_limit_goes_on(clock: ManualClock) -> None:
    worker = Worker(failing(50))
    policy = RetrySettings(strategy="fixedDelay", max_retries=-1, delay_s=0)
    async with invoking(worker, clock) as invoker:
        assert (await invoker.invoke(function_with(retry=policy), {}, reason="x")).return_value == string("done")
    assert len(worker.seen) == 51


async def test_whoever_retries_itself_can_ask_for_one_attempt(clock: ManualClock) -> None:
    worker = Worker(failing())
    policy = RetrySettings(strategy="fixedDelay", max_retries=5, delay_s=0)
    async with invoking(worker, clock) as invoker:
        with pytest.raises(UserCodeFailed):
            await invoker.invoke(function_with(retry=policy), {}, reason="x", is_retried=False)
    assert [seen.retry for seen in worker.seen] == [None]


async def test_draining_waits_for_what_runs_and_tells_what_is_left(clock: ManualClock) -> None:
    worker = Worker(hold=asyncio.Event())
    async with invoking(worker, clock) as invoker:
        call = asyncio.create_task(invoker.invoke(function_with(), {}, reason="x"))
        await worker.holding.wait()
        clock.advance(1)
        first = asyncio.create_task(invoker.drain(5))
        await settle()
        clock.advance(5)
        [left] = await first
        assert (left.function.name, left.id, (clock.now() - left.since).total_seconds()) == ("work", worker.seen[0].id, 6)
        second = asyncio.create_task(invoker.drain(5))
        assert worker.hold is not None
        worker.hold.set()
        await call
        assert await second == ()


async def test_draining_ends_retries(clock: ManualClock, said: Callable[[], list[tuple[str, int, str]]]) -> None:
    policy = RetrySettings(strategy="fixedDelay", max_retries=-1, delay_s=3600)
    async with invoking(Worker(failing()), clock) as invoker:
        call = asyncio.create_task(invoker.invoke(function_with(retry=policy), {}, reason="x"))
        await settle()
        assert await invoker.drain(1) == ()
        with pytest.raises(UserCodeFailed):
            await call
    assert said()[-1][2] == "Invocation cancelled - exiting retry loop."


async def test_cancelling_the_caller_is_no_timeout(clock: ManualClock) -> None:
    worker = Worker(hold=asyncio.Event())
    async with invoking(worker, clock, timeout_s=3) as invoker:
        call = asyncio.create_task(invoker.invoke(function_with(), {}, reason="x"))
        await worker.holding.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (invoker.in_flight, worker.aborted) == ((), [])


async def test_a_dead_worker_is_a_failure_like_others(clock: ManualClock, said: Callable[[], list[tuple[str, int, str]]]) -> None:
    def die(_: Invocation) -> InvocationResult:
        raise WorkerDied("python exited with code 7 (0x7).")

    async with invoking(Worker(die), clock) as invoker:
        with pytest.raises(WorkerDied):
            await invoker.invoke(function_with(), {}, reason="x")
    assert said()[-1][2].endswith("Duration=0ms)\npython exited with code 7 (0x7).")


@dataclass
class Shelf:
    """An input and output binding that keeps values by name."""

    values: dict[str, Datum]
    calls: list[Call] = field(default_factory=list)

    async def read(self, binding: Binding, call: Call) -> Datum:
        self.calls.append(call)
        return self.values[binding.name]

    async def write(self, binding: Binding, value: Datum, call: Call) -> None:
        self.values[binding.name] = value


async def test_inputs_are_read_before_and_outputs_written_after(clock: ManualClock) -> None:
    shelf = Shelf({"book": string("text")})
    worker = Worker(lambda _: InvocationResult(return_value=string("r"), outputs={"copy": string("c"), "res": string("for http")}))
    types = BindingTypes({"shelf": shelf}, {"shelf": shelf})
    function = function_with(
        binding("Shelf", "book", "in"),
        binding("shelf", "copy", "out"),
        binding("shelf", "unset", "out"),
        binding("shelf", "$return", "out"),
        binding("http", "res", "out"),
    )
    async with invoking(worker, clock, bindings=types) as invoker:
        result = await invoker.invoke(function, {"timer": NONE}, {"Id": string("1")}, reason="x")
    assert worker.seen[0].inputs == {"timer": NONE, "book": string("text")}
    assert shelf.values == {"book": string("text"), "copy": string("c"), "$return": string("r")}
    assert result == InvocationResult(outputs={"res": string("for http")})
    assert shelf.calls == [Call(worker.seen[0].id, function, {"timer": NONE}, {"Id": string("1")})]


async def test_an_output_that_cannot_be_written_fails_the_invocation(
    clock: ManualClock, said: Callable[[], list[tuple[str, int, str]]]
) -> None:
    @dataclass
    class Full:
        async def write(self, binding: Binding, value: Datum, call: Call) -> None:
            raise OSError("disk full")

    worker = Worker(lambda _: InvocationResult(outputs={"o": string("c")}))
    async with invoking(worker, clock, bindings=BindingTypes({}, {"full": Full()})) as invoker:
        with pytest.raises(OSError, match="disk full"):
            await invoker.invoke(function_with(binding("full", "o", "out")), {}, reason="x")
    assert said()[-1][2].endswith("\nOSError: disk full")


async def test_a_binding_that_nobody_implements_is_named(clock: ManualClock) -> None:
    async with invoking(Worker(), clock, bindings=BindingTypes({"blob": Shelf({})}, {})) as invoker:
        with pytest.raises(BindingNotSupported, match=r"the sql input rows of work.* Implemented: blob"):
            await invoker.invoke(function_with(binding("sql", "rows", "in")), {}, reason="x")
        assert invoker.objection(function_with(binding("blob", "text", "in"))) is None
        assert "the sms output text of work" in str(invoker.objection(function_with(binding("sms", "text", "out"))))


async def test_the_trace_context_reaches_the_worker(clock: ManualClock) -> None:
    worker = Worker()
    async with invoking(worker, clock) as invoker:
        await invoker.invoke(function_with(), {}, reason="x", trace_parent="00-1-2-01", trace_state="a=b")
    assert (worker.seen[0].trace_parent, worker.seen[0].trace_state) == ("00-1-2-01", "a=b")
