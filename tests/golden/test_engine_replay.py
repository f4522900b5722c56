"""The reference engine's recorded scenarios on our hub and core, on the real emulator: what is written is the same, in the same order.

Where it is not, `DIFFERENCES` says so, once, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import pytest_asyncio

from linarite.azurite import Ports
from linarite.durable.actions import CallSubOrchestration
from linarite.durable.events import Status
from linarite.taskhub.azure.names import escape_key
from linarite.taskhub.protocol import InstanceQuery
from linarite.timestamps import timestamp
from tests.golden import engine
from tests.golden import engine_orchestrators as does
from tests.golden.engine import Line, Plain, played, recording
from tests.golden.engine_player import Commit, Player, failure_of
from tests.storage_proxy import Exchange, StorageProxy

pytestmark = [pytest.mark.azurite]


@dataclass
class Watched(Player):
    """A player whose requests are recorded."""

    proxy: StorageProxy = field(kw_only=True)

    async def lines(self) -> list[Line]:
        """Everything that was asked of the storage so far, and what is left in it."""
        return played(self.proxy.requests, self.hub_name) + await self.left()

    async def forget(self) -> None:
        """Have what happened up to now be no part of what is compared."""
        await self.idle()
        self.proxy.requests.clear()
        self.commits.clear()


Make = Callable[..., Awaitable[Watched]]


Adapt = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Difference:
    """Something that we write otherwise. `scenarios`: where; none for everywhere.

    `adapt`: takes a view (its name and its value) without what differs; None where the common form (`engine.Plain`) has no place for it.
    """

    what: str
    reason: str
    scenarios: tuple[str, ...] = ()
    adapt: Adapt | None = None


def without_custom_status(view: str, value: Any) -> Any:
    if view != "instance_writes":
        return value
    return {key: [[method, {**row, "CustomStatus": "any"}] for method, row in writes] for key, writes in value.items()}


def without_episodes(view: str, value: Any) -> Any:
    """Rows whatever their position, but for those that mark episodes; the instance row whatever it took to write it."""
    match view:
        case "histories":
            return {key: _events(row for commit in commits for _, row in commit) for key, commits in value.items()}
        case "rows":
            left = _events(row for (table, _, key), row in value.items() if table == "History" and key != "sentinel")
            return left, [row for (table, _, _), row in value.items() if table == "Instances"]
        case "instance_writes":
            return {key: {name: column for _, row in writes for name, column in row.items()} for key, writes in value.items()}
    return value


def _events(rows: Iterable[dict[str, Any]]) -> list[str]:
    kept = ({name: value for name, value in row.items() if name != "RowKey"} for row in rows if "EventType" in row)
    return sorted(str(row) for row in kept if "Orchestrator" not in str(row["EventType"]))


DIFFERENCES = (
    Difference("Null columns are left out of requests.", "The service drops them (durable-storage 0.14)."),
    Difference("Maps have no .NET type name.", "Legal, and the name differs between runtimes (durable-storage 3.2)."),
    Difference(
        "What this host is to work on is put invisible.", "Hand-off by receipt: no poll, no Get (design, Speed that is designed in)."
    ),
    Difference("A large text is one Put Blob, not blocks and block lists.", "Equivalent (durable-storage 3.5)."),
    Difference("History is not read again between episodes, nor a row after it was written.", "It is kept at hand (design, Speed)."),
    Difference(
        "A commit that ran no episode does not write CustomStatus.",
        "The row keeps it; Decision.custom_status is UNSET.",
        ("13-terminate-running", "14-suspend-resume"),
        without_custom_status,
    ),
    Difference(
        "Answers are grouped into episodes otherwise.",
        "That depends on their timing, in the reference too.",
        ("02-fan-out",),
        without_episodes,
    ),
)


@pytest_asyncio.fixture
async def make(azurite: Ports) -> AsyncIterator[Make]:
    """Builds a player on a proxy of its own; stopped at the test's end."""
    proxy = StorageProxy(azurite)
    await proxy.start()
    players: list[Watched] = []

    async def build(recorded: Sequence[Line], *, is_client: bool = False, **orchestrators: Any) -> Watched:
        player = Watched(proxy.connection_string(), {**NAMED, **orchestrators}, recorded, proxy=proxy)
        await player.start(is_client=is_client)
        players.append(player)
        proxy.requests.clear()
        return player

    yield build
    for player in players:
        await player.stop()
    await proxy.stop()


NAMED = {
    "Chain": does.chain,
    "FanOut": does.fan_out,
    "Parent": does.parent,
    "Child": does.child,
    "Timer": does.timer,
    "TimerRace": does.timer_race,
    "Events": does.events,
    "Retry": does.retry,
    "Catch": does.catch,
    "Eternal": does.eternal,
    "Waiter": does.waiter,
    "BigOut": does.big_out,
    "Echo1": does.echo1,
    "SendEvent": does.send_event,
    "FireForget": does.fire_forget,
}


async def once(player: Watched, name: str, instance_id: str, input: str | None = None, **more: Any) -> None:
    await player.create(name, instance_id, input, **more)
    await player.until(instance_id, Status.COMPLETED, Status.FAILED)


FAN_INPUT = '{"$type":"<>f__AnonymousType7`1[[System.Int32, System.Private.CoreLib]], a","n":5}'
BOTH = (Status.COMPLETED, Status.FAILED)


async def play_events(player: Watched) -> None:
    await player.create("Events", "events-1")
    await player.until("events-1", Status.RUNNING)
    second = next(line[-1] for line in player.recorded if line[0] == "send" and line[-1]["TaskMessage"]["Event"].get("Name") == "second")
    await player.send("events-1", "EventRaised", name="second", input=second["TaskMessage"]["Event"]["Input"])
    await player.idle()
    await player.send("events-1", "EventRaised", name="first", input=None)
    await player.until("events-1", *BOTH)


async def play_eternal(player: Watched) -> None:
    await player.create("Eternal", "eternal-1", "0")
    await player.until("eternal-1", Status.RUNNING, custom_status='{"round":1}')
    await player.until_history("eternal-1", lambda history: len(history) == 8)
    await player.idle()
    await player.send("eternal-1", "EventRaised", name="go", input='"x"')
    await player.until("eternal-1", *BOTH)


async def play_terminate(player: Watched) -> None:
    await player.create("Waiter", "term-1", '"in"')
    await player.until("term-1", Status.RUNNING)
    await player.send("term-1", "ExecutionTerminated", input="operator's request")
    await player.until("term-1", Status.TERMINATED)


async def play_suspend(player: Watched) -> None:
    await player.create("Waiter", "susp-1")
    await player.until("susp-1", Status.RUNNING)
    await player.send("susp-1", "ExecutionSuspended", reason="pause")
    await player.until("susp-1", Status.SUSPENDED)
    await player.send("susp-1", "EventRaised", name="go", input="1")
    await player.idle()
    await player.send("susp-1", "ExecutionResumed", reason="continue")
    await player.until("susp-1", *BOTH)


async def play_rewind(player: Watched, instance_id: str, name: str) -> None:
    await once(player, name, instance_id)
    await player.hub.rewind(instance_id, "try again")
    await player.until(instance_id, Status.COMPLETED)


async def play_send_event(player: Watched) -> None:
    await player.create("Waiter", "send-target")
    await player.until("send-target", Status.RUNNING)
    await once(player, "SendEvent", "sender-1")
    await player.until("send-target", *BOTH)


async def play_forget(player: Watched) -> None:
    await once(player, "FireForget", "ff-1")
    await player.until("ff-child", *BOTH)


async def play_duplicate(player: Watched) -> None:
    await player.create("Waiter", "dup-1")
    await player.until("dup-1", Status.RUNNING)


async def play_over_running(player: Watched) -> None:
    await play_duplicate(player)
    await player.forget()
    await player.create("Waiter", "dup-1", '"second"')
    await player.until_history("dup-1", lambda history: getattr(history[1], "input", None) == '"second"')
    await player.idle()
    await player.send("dup-1", "EventRaised", name="go", input="1")
    await player.until("dup-1", *BOTH)


async def play_over_completed(player: Watched) -> None:
    await once(player, "Chain", "chain-1")
    await player.forget()
    await once(player, "Chain", "chain-1")


async def play_nobody(player: Watched) -> None:
    await player.send("nobody-1", "EventRaised", name="go", input="1")
    await player.idle()


async def play_over_event(player: Watched) -> None:
    await play_over_completed(player)
    await player.forget()
    await player.send("chain-1", "EventRaised", name="go", input="1")
    await player.idle()


async def play_scheduled(player: Watched) -> None:
    due = timestamp(datetime.now(timezone.utc) + timedelta(seconds=3))
    await once(player, "Chain", "sched-1", scheduled_start_time=due)


Play = Callable[[Watched], Awaitable[None]]

SCENARIOS: dict[str, Play] = {
    "01-chain": lambda p: once(p, "Chain", "chain-1"),
    "02-fan-out": lambda p: once(p, "FanOut", "fan-1", FAN_INPUT),
    "03-sub-orchestrations": lambda p: once(p, "Parent", "parent-1", '"top"'),
    "04-timer": lambda p: once(p, "Timer", "timer-1"),
    "05-timer-cancelled": lambda p: once(p, "TimerRace", "race-1"),
    "06-events": play_events,
    "07-retry": lambda p: once(p, "Retry", "retry-1"),
    "08-activity-failure-caught": lambda p: once(p, "Catch", "catch-1"),
    "09-activity-failure-uncaught": lambda p: once(p, "Uncaught", "uncaught-1"),
    "10-orchestrator-failure": lambda p: once(p, "Throws", "throws-1"),
    "11-sub-orchestration-failure": lambda p: once(p, "ParentOfFailed", "pof-1"),
    "12-continue-as-new": play_eternal,
    "13-terminate-running": play_terminate,
    "14-suspend-resume": play_suspend,
    "15-rewind": lambda p: play_rewind(p, "rewind-1", "Rewindable"),
    "16-rewind-through-child": lambda p: play_rewind(p, "rewind-2", "RewindParent"),
    "17-payload-50KB": lambda p: once(p, "BigOut", "big-50", "50000"),
    "18-payload-300KB": lambda p: once(p, "BigOut", "big-300", "300000"),
    "19-input-100KB": lambda p: once(p, "Echo1", "bigin-100", '"' + "y" * 100_000 + '"'),
    "20-unicode-id": lambda p: once(p, "Echo1", "sayōnara 日本-1", '"ü"'),
    "21-odd-id": lambda p: once(p, "Echo1", "a/b\\c#d?e%f'g", '"x"'),
    "22-tags": lambda p: once(p, "Chain", "tags-1", tags={"team": "blue", "ключ": "значение"}),
    "23-scheduled-start": play_scheduled,
    "24-send-event": play_send_event,
    "25-fire-and-forget": play_forget,
    "26-start-duplicate-running": play_duplicate,
    "27-start-over-running": play_over_running,
    "28-start-over-completed": play_over_completed,
    "29-event-to-nobody": play_nobody,
    "30-event-to-completed": play_over_event,
    "50-serialized-activity-failure-caught": lambda p: once(p, "Catch", "catch-1"),
    "51-serialized-activity-failure-uncaught": lambda p: once(p, "Uncaught", "uncaught-1"),
    "52-serialized-orchestrator-failure": lambda p: once(p, "ParentOfFailed", "pof-1"),
    "53-serialized-retry": lambda p: once(p, "Retry", "retry-s1"),
}


def failing(lines: Sequence[Line]) -> dict[str, Any]:
    """The orchestrators that fail, each with the text it failed with when it was recorded."""
    throws_key = next((key for key in ("throws-1", "failing-child") if any(key in str(line) for line in lines)), "")
    rewind_key = "rewind-child" if any("rewind-child" in str(line) for line in lines) else "rewind-1"
    child = CallSubOrchestration(name="Throws", input='"in"', instance_id="failing-child", version="")
    return {
        "Uncaught": does.fails_after(does.call("Boom", "x"), lambda: failure_of(lines, "uncaught-1")),
        "Throws": does.fails_after(does.call("Hello", "x"), lambda: failure_of(lines, throws_key)),
        "ParentOfFailed": does.fails_after(child, lambda: failure_of(lines, "pof-1")),
        "Rewindable": does.rewindable(lambda: failure_of(lines, rewind_key)),
        "RewindParent": does.rewind_parent(lambda: failure_of(lines, "rewind-2")),
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_scenario_is_written_as_the_reference_writes_it(scenario: str, make: Make) -> None:
    recorded = recording(scenario)
    player = await make(recorded, **failing(recorded))
    await SCENARIOS[scenario](player)
    ours = await player.lines()
    compare(scenario, ours, recorded, player.hub_name)
    same_delays(ours, recorded)
    in_order(player)


def compare(scenario: str, ours: list[Line], theirs: list[Line], hub: str) -> None:
    """Everything that was written and is left, in one form."""
    their_hub = next((line[4]["TaskHubName"] for line in theirs if line[0] == "instance" and "TaskHubName" in (line[4] or {})), "Golden")
    mine, reference = Plain(hub), Plain(their_hub)
    mine.learn(ours)
    reference.learn(theirs)
    for view in (engine.sends, engine.histories, engine.instance_writes, engine.rewrites, engine.rows, engine.blobs):
        left, right = view(ours, mine), view(theirs, reference)
        assert adapted(scenario, view.__name__, left) == adapted(scenario, view.__name__, right), view.__name__


def adapted(scenario: str, view: str, value: Any) -> Any:
    """A view without what is meant to differ."""
    for difference in DIFFERENCES:
        if difference.adapt is not None and scenario in difference.scenarios:
            value = difference.adapt(view, value)
    return value


def same_delays(ours: Sequence[Line], theirs: Sequence[Line]) -> None:
    """Timers and scheduled starts are hidden as long; a second more or less is a matter of when the clock was read."""
    mine, reference = engine.delays(ours), engine.delays(theirs)
    assert mine.keys() == reference.keys()
    for timer, delay in reference.items():
        assert abs((mine[timer] or 0) - (delay or 0)) <= 1, timer


def in_order(player: Watched) -> None:
    """Within every commit: messages out, then history, then the instance row, then the inputs deleted."""
    for commit in player.commits:
        kinds = [(kind, exchange) for exchange in player.proxy.requests if (kind := _kind(exchange, commit, player)) is not None]
        for earlier, later in ((0, 1), (1, 2), (2, 3), (0, 2), (0, 3), (1, 3)):
            ended = max((exchange.ended for kind, exchange in kinds if kind == earlier), default=0.0)
            began = min((exchange.began for kind, exchange in kinds if kind == later), default=float("inf"))
            assert ended <= began, (commit, earlier, later)
        assert {kind for kind, _ in kinds} >= {3}


def _kind(exchange: Exchange, commit: Commit, player: Watched) -> int | None:
    """The step of a commit that a request is: 0 sends, 1 history, 2 instance row, 3 deletes."""
    if not commit.began <= exchange.began <= commit.ended or exchange.status >= 300:
        return None
    line = engine.line_of(exchange, player.hub_name)
    if line is None:
        return None
    key = escape_key(commit.instance_id)
    match line[0]:
        case "send":
            is_answer = (line[-1]["TaskMessage"] or {}).get("Event", {}).get("EventType") in (5, 6)
            sender = (line[-1]["Sender"] or {}).get("InstanceId")
            return 0 if sender == commit.instance_id and not is_answer else None
        case "history":
            return 1 if line[-1][0][1]["PartitionKey"] == key else None
        case "instance":
            return 2 if line[4]["PartitionKey"] == key else None
        case "delete":
            return 3 if exchange.path.rpartition("/")[2] in commit.consumed else None
    return None


async def test_a_client_sends_what_the_references_client_sends(make: Make) -> None:
    recorded = recording("40-client-only")
    player = await make(recorded, is_client=True)
    started = next(line[-1]["TaskMessage"]["Event"] for line in recorded if line[0] == "send")
    await player.create("Chain", "quiet-1", started["Input"])
    await player.send("quiet-1", "EventRaised", name="go", input='"ü"')
    await player.send("quiet-1", "ExecutionTerminated", input="stop")
    await player.send("quiet-1", "ExecutionSuspended", reason="s")
    await player.send("quiet-1", "ExecutionResumed", reason="r")
    compare("40-client-only", await player.lines(), recorded, player.hub_name)


async def test_a_purge_deletes_all_rows_and_the_instances_row_last(make: Make) -> None:
    recorded = recording("32-purge-one")
    player = await make(recording("01-chain"))
    await once(player, "Chain", "chain-1")
    await player.forget()
    assert await player.hub.purge("chain-1")
    [(_, _, _, deleted), instance] = [line for line in await player.lines() if line[0] in ("history", "instance")]
    [reference] = [line[-1] for line in recorded if line[0] == "history"]
    assert {method for method, _ in deleted} == {method for method, _ in reference} == {"DELETE"}
    assert len(deleted) == 17
    assert instance[3] == "DELETE"
    assert [line for line in await player.lines() if line[0] in ("row", "blob")] == []


async def test_instances_are_read_and_listed_with_the_references_queries(make: Make) -> None:
    player = await make([], is_client=True)
    await player.create("Chain", "chain-1")
    await player.hub.instance("chain-1")
    window = InstanceQuery(
        created_from="2026-11-23T04:41:18.7732744Z",
        created_to="2026-11-23T05:41:18.7732779Z",
        statuses=frozenset({Status.COMPLETED, Status.RUNNING}),
        id_prefix="chain",
        page_size=3,
    )
    await player.hub.instances(window)
    before, shown, listed = [exchange.query for exchange in player.proxy.requests if exchange.path.endswith("Instances()")]
    one = {"$format": "application/json;odata=minimalmetadata", "$top": "1", "$filter": "PartitionKey eq 'chain-1'"}
    columns = "ExecutionId,Name,Version,Output,CustomStatus,CreatedTime,LastUpdatedTime,CompletedTime,RuntimeStatus,ScheduledStartTime"
    assert before == {**one, "$select": f"{columns},Generation,Tags,PartitionKey,RowKey,Timestamp"}  # and no ETag, which is no column
    assert shown == one
    assert listed["$top"] == "3"
    assert listed["$filter"] == (
        "(CreatedTime ge datetime'2026-11-23T04:41:18.7732744Z') and (CreatedTime le datetime'2026-11-23T05:41:18.7732779Z') and "
        "(RuntimeStatus eq 'Completed' or RuntimeStatus eq 'Running') and (PartitionKey ge 'chain') and (PartitionKey lt 'chaio')"
    )


async def test_what_the_reference_left_suspended_is_finished_here(make: Make) -> None:
    player = await make(recording("14-suspend-resume"))
    await player.load(recording("14a-while-suspended"))
    await player.send("susp-1", "ExecutionResumed", reason="continue")
    await player.until("susp-1", Status.COMPLETED)
    await left_as_recorded(player)


async def test_what_failed_on_the_reference_is_rewound_here(make: Make) -> None:
    recorded = recording("15-rewind")
    player = await make(recorded[1:], **failing(recorded))
    await player.load(recording("15a-before-rewind"))
    player.answer_again("rewind-1", 1)
    await player.hub.rewind("rewind-1", "try again")
    await player.until("rewind-1", Status.COMPLETED)
    await left_as_recorded(player)


async def test_what_the_reference_scheduled_is_started_here(make: Make) -> None:
    recorded = recording("23-scheduled-start")
    player = await make(recorded)
    await player.load(recording("23a-before-start"))
    start = next(line for line in recorded if line[0] == "send")
    await player.storage.queues.put(f"{player.hub_name.lower()}-{start[3]}", json.dumps(start[-1], ensure_ascii=False))
    await player.until("sched-1", Status.COMPLETED)
    await left_as_recorded(player)


async def left_as_recorded(player: Watched) -> None:
    """The rows that are left are those that the reference itself left in the end."""
    mine, reference = Plain(player.hub_name), Plain("Golden")
    lines = await player.lines()
    mine.learn(line for line in lines if line[0] == "row")
    reference.learn(line for line in player.recorded if line[0] == "row")
    assert engine.rows(lines, mine) == engine.rows(player.recorded, reference)
