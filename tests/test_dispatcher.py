"""The dispatcher, on a hub that lives in a list and with the SDK called directly."""

from __future__ import annotations

import asyncio
import json
import logging
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import azure.durable_functions as df
import pytest

from linarite.clock import ManualClock
from linarite.dialects.names import DurableFunctions
from linarite.dispatcher import Dispatcher
from linarite.durable.decision import Decision
from linarite.durable.entity_messages import Request, to_text
from linarite.durable.events import (
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionSuspended,
    GenericEvent,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorCompleted,
    Status,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
)
from linarite.durable.messages import TaskMessage
from linarite.errors import (
    AppError,
    FunctionTimedOut,
    HubUnavailable,
    LinariteError,
    StorageUnavailable,
    UserCodeFailed,
    WorkerDied,
    WorkItemLockLost,
)
from linarite.invocation import Datum, Place
from linarite.metadata import Binding, Function
from linarite.settings import DurableSettings
from linarite.taskhub.protocol import ActivityWorkItem, OrchestrationWorkItem
from tests.waiting import until

T0 = "2026-01-01T00:00:00Z"
Context = Any


class ListHub:
    """Hands out what tests put into it, and keeps what comes back."""

    def __init__(self) -> None:
        self.orchestrations: asyncio.Queue[OrchestrationWorkItem | Exception] = asyncio.Queue()
        self.activities: asyncio.Queue[ActivityWorkItem | Exception] = asyncio.Queue()
        self.decisions: list[Decision] = []
        self.answers: list[TaskMessage] = []
        self.abandoned: list[Any] = []
        self.refusal: Exception | None = None
        self.slow: asyncio.Event | None = None
        """What the next commit waits for, once it is done."""
        self.changed = asyncio.Event()

    async def next_orchestration(self) -> OrchestrationWorkItem:
        item = await self.orchestrations.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def commit(self, item: OrchestrationWorkItem, decision: Decision) -> None:
        self.changed.set()
        if self.refusal is not None:
            raise self.refusal
        self.decisions.append(decision)
        if (slow := self.slow) is not None:
            self.slow = None
            await slow.wait()

    async def abandon(self, item: OrchestrationWorkItem) -> None:
        self.abandoned.append(item)
        self.changed.set()

    async def next_activity(self) -> ActivityWorkItem:
        item = await self.activities.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def complete(self, item: ActivityWorkItem, answer: TaskMessage) -> None:
        self.changed.set()
        if self.refusal is not None:
            raise self.refusal
        self.answers.append(answer)

    async def abandon_activity(self, item: ActivityWorkItem) -> None:
        self.abandoned.append(item)
        self.changed.set()

    async def next_change(self) -> None:
        await self.changed.wait()
        self.changed.clear()


class App:
    """Runs functions in place. A callable that raises something else than an app would, raises it through."""

    def __init__(self) -> None:
        self.code: dict[str, Callable[[str], Any]] = {}
        self.seen: list[tuple[str, str, dict[str, Any]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.sought: list[tuple[str, list[Any], int | None]] = []
        self.found: Place | None = None
        self.running = 0
        self.most = 0

    async def call(self, function: Function, value: str, metadata: Mapping[str, Datum]) -> str | None:
        self.seen.append((function.name, value, {name: datum.value for name, datum in metadata.items()}))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text: str | None = self.code[function.name](value)
            return text
        except (LinariteError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise UserCodeFailed(type(error).__name__, str(error), "stack") from None
        finally:
            self.running -= 1

    async def place(self, function: Function, value: str, task_id: int | None) -> Place | None:
        self.sought.append((function.name, json.loads(value)["history"], task_id))
        return self.found


def function(name: str, trigger: str, **members: Any) -> Function:
    binding = Binding(name="context", type=trigger, direction="in", raw={"name": "context", "type": trigger, **members})
    return Function(id=name, name=name, bindings=(binding,), script_file="", entry_point="", directory="", def_name=name)


def started(name: str, instance_id: str = "i", **changes: Any) -> OrchestrationWorkItem:
    me = OrchestrationInstance(instance_id=instance_id, execution_id=f"e-{instance_id}")
    event = ExecutionStarted(orchestration_instance=me, name=name, timestamp=T0, **changes)
    return OrchestrationWorkItem(instance_id, (), (TaskMessage(event=event, target=me),), None)


def following(decision: Decision, *events: HistoryEvent) -> OrchestrationWorkItem:
    me = OrchestrationInstance(instance_id="i", execution_id=decision.execution_id)
    return OrchestrationWorkItem("i", decision.new_events, tuple(TaskMessage(event=event, target=me) for event in events), None)


def activity(name: str, stored: str = '["\\"x\\""]', episode: int | None = 3) -> ActivityWorkItem:
    me = OrchestrationInstance(instance_id="i", execution_id="e")
    event = TaskScheduled(name=name, input=stored, event_id=7, timestamp=T0)
    return ActivityWorkItem(TaskMessage(event=event, target=me, sender=me, episode=episode, sender_tags={}), 1, None)


class Bench:
    """A dispatcher with everything around it."""

    def __init__(self, settings: DurableSettings) -> None:
        self.hub, self.app, self.clock = ListHub(), App(), ManualClock()
        functions = [function("hello", "activityTrigger"), function("chain", "orchestrationTrigger")]
        self.app.code = {"hello": lambda value: json.dumps(f"Hello {json.loads(value)}"), "chain": df.Orchestrator.create(chain)}
        self.dispatcher = Dispatcher(self.hub, DurableFunctions(functions, str), self.app, self.clock, settings)

    async def decide(self, item: OrchestrationWorkItem) -> Decision:
        self.hub.orchestrations.put_nowait(item)
        await self.hub.next_change()
        return self.hub.decisions[-1]

    async def run(self, item: ActivityWorkItem) -> TaskMessage:
        self.hub.activities.put_nowait(item)
        await self.hub.next_change()
        return self.hub.answers[-1]


def chain(context: Context) -> Any:
    first = yield context.call_activity("hello", "x")
    return first


@pytest.fixture
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    bench = Bench(getattr(request, "param", DurableSettings()))
    await bench.dispatcher.start()
    yield bench
    await bench.dispatcher.stop()


async def test_an_instance_goes_from_start_to_end(bench: Bench) -> None:
    first = await bench.decide(started("chain"))
    assert [type(message.event) for message in first.outbound] == [TaskScheduled]
    last = await bench.decide(following(first, TaskCompleted(task_scheduled_id=0, result='"Hello"', timestamp=T0)))
    completed = next(event for event in last.new_events if isinstance(event, ExecutionCompleted))
    assert (completed.orchestration_status, completed.result) == (Status.COMPLETED, '"Hello"')


async def test_an_activity_is_given_its_input_and_answers_its_orchestration(bench: Bench) -> None:
    answer = await bench.run(activity("HELLO"))
    assert bench.app.seen == [("hello", '"x"', {"instanceId": "i"})]
    assert answer.event == TaskCompleted(task_scheduled_id=7, result='"Hello x"', timestamp=T0)
    assert (answer.target, answer.sender, answer.episode) == (
        OrchestrationInstance(instance_id="i", execution_id="e"),
        OrchestrationInstance(instance_id="i", execution_id="e"),
        3,
    )


async def test_an_activity_that_raises_or_takes_too_long_has_failed(bench: Bench) -> None:
    def late(value: str) -> str:
        raise FunctionTimedOut("Timeout value of 00:30:00 was exceeded by function: hello")

    bench.app.code["hello"] = late
    event = (await bench.run(activity("hello"))).event
    assert isinstance(event, TaskFailed)
    assert event.reason == "Activity function 'hello' failed: Timeout value of 00:30:00 was exceeded by function: hello"
    bench.app.code["hello"] = lambda value: json.loads("{")
    event = (await bench.run(activity("hello"))).event
    assert isinstance(event, TaskFailed)
    assert str(event.reason).startswith("Activity function 'hello' failed: JSONDecodeError: ")


@pytest.mark.parametrize("problem", [AppError("Nothing here implements it."), StorageUnavailable("Nothing here implements it.")])
async def test_an_activity_whose_binding_fails_has_failed(bench: Bench, problem: Exception) -> None:
    def fail(value: str) -> str:
        raise problem

    bench.app.code["hello"] = fail
    event = (await bench.run(activity("hello"))).event
    assert isinstance(event, TaskFailed)
    assert event.reason == "Activity function 'hello' failed: Nothing here implements it."


async def test_an_orchestrator_whose_binding_fails_has_failed(bench: Bench) -> None:
    def fail(value: str) -> str:
        raise AppError("Nothing here implements it.")

    bench.app.code["chain"] = fail
    completed = (await bench.decide(started("chain"))).new_events[-2]
    assert isinstance(completed, ExecutionCompleted)
    assert completed.result == "Orchestrator function 'chain' failed: Nothing here implements it."


async def test_unknown_names_are_answered_with_a_sentence(bench: Bench) -> None:
    event = (await bench.run(activity("nope"))).event
    assert isinstance(event, TaskFailed)
    assert event.reason == (
        "Activity function 'nope' failed: The function 'nope' doesn't exist, is disabled, or is not an activity function. "
        "Additional info: The following are the known activity functions: 'hello'."
    )
    completed = (await bench.decide(started("nope"))).new_events[-2]
    assert isinstance(completed, ExecutionCompleted)
    assert completed.result == (
        "Orchestrator function 'nope' failed: The function 'nope' doesn't exist, is disabled, or is not an orchestrator function. "
        "Additional info: The following are the known orchestrator functions: 'chain'."
    )


@pytest.mark.parametrize(
    ("found", "place"),
    [(Place("a.py", 12, "Other"), " (a.py:12)"), (Place("a.py", 12, "hello"), ""), (None, "")],
    ids=["known", "of another task", "unknown"],
)
async def test_a_changed_orchestrator_is_told_with_row_action_and_line(
    bench: Bench, caplog: pytest.LogCaptureFixture, found: Place | None, place: str
) -> None:
    def changed(context: Context) -> Any:
        yield context.call_activity("other", "x")

    first = await bench.decide(started("chain"))
    bench.app.code["chain"] = df.Orchestrator.create(changed)
    bench.app.found = found
    await bench.decide(following(first, TaskCompleted(task_scheduled_id=0, result='"Hello"', timestamp=T0)))
    assert [(name, len(history), task_id) for name, history, task_id in bench.app.sought] == [("chain", 6, 0)]
    assert caplog.messages == [
        "Instance 'i' does not replay its history: row 2 is TaskScheduled 'hello' (task 0), and the orchestrator now asks for "
        f"CallActivity 'other'{place}."
    ]


async def test_a_rewound_instance_that_does_not_replay_is_told_that_no_rewind_can_help_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    first = await bench.decide(started("chain"))
    rewound = [GenericEvent(event_id=0, timestamp=T0) if isinstance(event, TaskScheduled) else event for event in first.new_events]
    timer = TimerCreated(fire_at=T0, event_id=1, timestamp=T0)
    left = replace(first, new_events=(*rewound, timer, OrchestratorCompleted(timestamp=T0)))
    ended = (await bench.decide(following(left, GenericEvent(timestamp=T0)))).new_events[-2]
    assert isinstance(ended, ExecutionCompleted)
    assert str(ended.result).startswith("Non-Deterministic workflow detected: A previous execution of this orchestration scheduled a timer")
    assert caplog.messages[-1].startswith("Instance 'i' was rewound. A rewind takes back what failed, but not")


async def test_a_commit_that_returns_after_the_next_one_leaves_nothing_old_to_go_by(bench: Bench) -> None:
    """Two failures of retried activities are never delivered together, since each takes a task id."""

    def stubborn(context: Context) -> Any:
        yield context.call_activity("hello", "x")
        again = df.RetryOptions(1000, 3)
        yield context.task_all([context.call_activity_with_retry("hello", again, name) for name in ("a", "b")])

    bench.app.code["chain"] = df.Orchestrator.create(stubborn)
    bench.hub.slow = done = asyncio.Event()
    first = await bench.decide(started("chain"))
    second = await bench.decide(following(first, TaskCompleted(task_scheduled_id=0, result='"Hello"', timestamp=T0)))
    done.set()
    await until(lambda: bench.dispatcher.in_flight == 0)
    history = replace(second, new_events=(*first.new_events, *second.new_events))
    failures = [TaskFailed(task_scheduled_id=task_id, reason="no", timestamp=T0) for task_id in (1, 2)]
    third = await bench.decide(following(history, *failures))
    assert third.unread == {1}


async def test_an_app_of_the_next_sdk_fails_with_what_to_install(bench: Bench) -> None:
    bench.dispatcher.functions = DurableFunctions([function("chain", "orchestrationTrigger", durableRequiresGrpc=True)], str)
    completed = (await bench.decide(started("chain"))).new_events[-2]
    assert isinstance(completed, ExecutionCompleted)
    assert "pip install 'azure-functions-durable>=1.7,<2'" in str(completed.result)


@pytest.mark.parametrize("problem", [WorkerDied("gone"), FunctionTimedOut("late")])
async def test_an_episode_that_was_not_finished_is_handed_back(bench: Bench, problem: Exception) -> None:
    def fail(value: str) -> str:
        raise problem

    bench.app.code["chain"] = fail
    item = started("chain")
    bench.hub.orchestrations.put_nowait(item)
    await bench.hub.next_change()
    assert (bench.hub.abandoned, bench.hub.decisions) == ([item], [])


async def test_an_activity_whose_worker_died_is_handed_back(bench: Bench) -> None:
    def die(value: str) -> str:
        raise WorkerDied("gone")

    bench.app.code["hello"] = die
    item = activity("hello")
    bench.hub.activities.put_nowait(item)
    await bench.hub.next_change()
    assert (bench.hub.abandoned, bench.hub.answers) == ([item], [])


async def test_stopping_hands_back_what_is_in_flight(bench: Bench) -> None:
    bench.app.gate.clear()
    item, request = started("chain"), activity("hello")
    bench.hub.orchestrations.put_nowait(item)
    bench.hub.activities.put_nowait(request)
    await until(lambda: bench.app.running == 2)
    assert bench.dispatcher.in_flight == 2
    await bench.dispatcher.stop()
    assert bench.hub.abandoned == [item, request] or bench.hub.abandoned == [request, item]
    assert not bench.hub.decisions
    assert not bench.hub.answers


async def test_draining_waits_for_what_is_in_flight_and_takes_nothing_new(bench: Bench) -> None:
    bench.app.gate.clear()
    bench.hub.activities.put_nowait(activity("hello"))
    await until(lambda: bench.app.running == 1)
    draining = asyncio.ensure_future(bench.dispatcher.drain())
    await asyncio.sleep(0)
    bench.hub.activities.put_nowait(activity("hello"))
    bench.app.gate.set()
    await draining
    assert len(bench.hub.answers) == 1
    assert bench.hub.activities.qsize() == 1


@pytest.mark.parametrize("bench", [DurableSettings(max_concurrent_activities=2)], indirect=True)
async def test_no_more_activities_run_at_once_than_host_json_allows(bench: Bench) -> None:
    bench.app.gate.clear()
    for _ in range(5):
        bench.hub.activities.put_nowait(activity("hello"))
    await until(lambda: bench.app.running == 2)
    bench.app.gate.set()
    while len(bench.hub.answers) < 5:
        await bench.hub.next_change()
    assert bench.app.most == 2


async def test_a_lost_lock_drops_the_episode(bench: Bench) -> None:
    bench.hub.refusal = WorkItemLockLost("someone else")
    bench.hub.orchestrations.put_nowait(started("chain"))
    await bench.hub.next_change()
    assert not bench.hub.abandoned


async def test_a_hub_that_fails_is_asked_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.hub.orchestrations.put_nowait(HubUnavailable("no answer"))
    await until(lambda: bench.clock.next_wake() is not None)
    assert "no answer" in caplog.text
    bench.clock.advance(1)
    assert (await bench.decide(started("chain"))).new_events


async def test_a_version_that_may_not_run_is_left_and_said_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        bench.hub.orchestrations.put_nowait(started("chain", version="9.0"))
        await bench.hub.next_change()
    assert len(bench.hub.abandoned) == 2
    assert caplog.text.count("Instance 'i' of 'chain' has version '9.0'") == 1


async def test_messages_that_may_not_be_delivered_yet_are_handed_back_at_once(bench: Bench) -> None:
    first = await bench.decide(started("chain"))
    second = await bench.decide(following(first, ExecutionSuspended(timestamp=T0)))
    history = (*first.new_events, *second.new_events)
    me = OrchestrationInstance(instance_id="i", execution_id=first.execution_id)
    failed = TaskMessage(event=TaskFailed(task_scheduled_id=0, reason="r", timestamp=T0), target=me)
    bench.dispatcher._memories.clear()  # a host that has just started knows of no retries
    decision = await bench.decide(OrchestrationWorkItem("i", history, (failed,), None))
    assert not decision.new_events
    assert decision.unread == {0}


async def test_changed_code_is_reported_with_the_historys_row(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    first = await bench.decide(started("chain"))

    def changed(context: Context) -> Any:
        yield context.call_activity("other", "x")

    bench.app.code["chain"] = df.Orchestrator.create(changed)
    with caplog.at_level(logging.ERROR):
        await bench.decide(following(first, TaskCompleted(task_scheduled_id=0, result="1", timestamp=T0)))
    assert "row 2 is TaskScheduled 'hello' (task 0), and the orchestrator now asks for CallActivity 'other'" in caplog.text


async def test_a_mistake_of_ours_hands_the_item_back(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.dispatcher.functions = None  # type: ignore[assignment]
    bench.hub.orchestrations.put_nowait(started("chain"))
    await bench.hub.next_change()
    assert len(bench.hub.abandoned) == 1
    assert "could not be decided" in caplog.text


def asked(op: str, name: str = "counter") -> OrchestrationWorkItem:
    request = Request(op=op, id="the-id", parent="order-7", parent_execution="e1", input='"5"')
    event = EventRaised(name="op", input=to_text(request), timestamp=T0)
    target = OrchestrationInstance(instance_id=f"@{name}@k")
    return OrchestrationWorkItem(f"@{name}@k", (), (TaskMessage(event=event, target=target),), None)


def response(decision: Decision) -> dict[str, Any]:
    event = decision.outbound[0].event
    assert isinstance(event, EventRaised)
    assert event.name == "the-id"
    found: dict[str, Any] = json.loads(event.input or "")
    del found["$type"]
    return found


async def test_an_entity_runs_its_operations_and_answers(bench: Bench) -> None:
    def counter(context: Context) -> None:
        context.set_state(context.get_state(lambda: 0) + context.get_input())
        context.set_result(context.get_state())

    bench.dispatcher.functions = DurableFunctions([function("Counter", "entityTrigger")], str)
    bench.app.code["Counter"] = df.Entity.create(counter)
    decision = await bench.decide(asked("add"))
    assert response(decision) == {"result": "5"}
    assert decision.custom_status == '{"entityExists":true}'


async def test_an_unknown_entity_answers_with_a_sentence(bench: Bench) -> None:
    found = response(await bench.decide(asked("add", "nope")))
    assert found["exceptionType"] == "Error"
    assert json.loads(found["result"]) == (
        "The function 'nope' doesn't exist, is disabled, or is not an entity function. "
        "Additional info: No entity functions are currently registered!"
    )


async def test_an_entity_that_takes_too_long_answers_with_the_time_out(bench: Bench) -> None:
    def late(value: str) -> str:
        raise FunctionTimedOut("Timeout value of 00:05:00 was exceeded by function: Counter")

    bench.dispatcher.functions = DurableFunctions([function("Counter", "entityTrigger")], str)
    bench.app.code["Counter"] = late
    assert response(await bench.decide(asked("add"))) == {
        "result": "Timeout value of 00:05:00 was exceeded by function: Counter",
        "exceptionType": "Error",
    }


async def test_an_entity_whose_binding_fails_answers_with_the_reason(bench: Bench) -> None:
    def fail(value: str) -> str:
        raise AppError("Nothing here implements it.")

    bench.dispatcher.functions = DurableFunctions([function("Counter", "entityTrigger")], str)
    bench.app.code["Counter"] = fail
    found = response(await bench.decide(asked("add")))
    assert json.loads(found["result"]) == "Nothing here implements it."


async def test_an_entity_that_raises_fails_its_operations(bench: Bench) -> None:
    bench.dispatcher.functions = DurableFunctions([function("Counter", "entityTrigger")], str)
    bench.app.code["Counter"] = lambda value: [][0]
    found = response(await bench.decide(asked("add")))
    assert json.loads(found["result"]) == "IndexError: list index out of range"
