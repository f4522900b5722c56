"""Durable work: fetched from the hub, put to the app, decided by the core, committed.

The loops hold no state of instances but a bounded memory that saves work: an instance's encoded history, and which of its tasks take
ids when they fail. Losing it costs time, never correctness.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from linarite.clock import Clock, call_off
from linarite.dialects.durable_http import run_http_activity
from linarite.dialects.json_shim import activities, answers, entities
from linarite.dialects.json_shim.requests import EncodedHistory, request
from linarite.dialects.names import DurableFunctions
from linarite.durable.actions import Answer
from linarite.durable.checks import VersionRejected
from linarite.durable.entities import Batch, BatchReply, take_entity_turn
from linarite.durable.events import GenericEvent, HistoryEvent, TaskScheduled
from linarite.durable.messages import TaskMessage, is_entity
from linarite.durable.numbering import NonDeterministic
from linarite.durable.plan import execution_id_of
from linarite.durable.turn import Episode, Knowledge, Outcome, Reply, take_turn
from linarite.errors import AppError, FunctionTimedOut, HubError, LinariteError, UserCodeFailed, WorkerDied, WorkItemLockLost
from linarite.invocation import Datum, Place, string
from linarite.metadata import Function
from linarite.settings import DurableSettings
from linarite.taskhub.protocol import ActivityWorkItem, OrchestrationWorkItem, WorkSource
from linarite.timestamps import Timestamp, timestamp

log = logging.getLogger(__name__)
T = TypeVar("T")

REMEMBERED = 256
"""Instances of which something is remembered between episodes."""

HUB_PAUSE_S = 1.0
"""Pause after the hub could not be asked for work."""


_REWOUND = (
    "Instance '%s' was rewound. A rewind takes back what failed, but not what the orchestrator did because of it: the timers between "
    "retries, the calls of an except block. Such an instance cannot go on, on Azure either; restart it instead."
)


class AppCalls(Protocol):
    """How a durable function is run."""

    async def call(self, function: Function, value: str, metadata: Mapping[str, Datum]) -> str | None:
        """Run it with this trigger value, and return the JSON text it returned, if any.

        Raises UserCodeFailed if it raised, FunctionTimedOut if it took too long, WorkerDied if its process ended, an AppError
        if a binding of it could not be read or written.
        """
        ...

    async def place(self, function: Function, value: str, task_id: int | None) -> Place | None:
        """Run an orchestrator with this trigger value once more, for the place that yields the task with that id; None for where it ends.

        Raises as `call` does.
        """
        ...


@dataclass(slots=True)
class _Memory:
    """What is remembered of an instance's current generation. `knowledge` is about as many events as `events` says."""

    execution_id: str | None = None
    knowledge: Knowledge = field(default_factory=Knowledge)
    events: int = 0
    history: EncodedHistory = field(default_factory=EncodedHistory)


class Dispatcher:
    """Runs what a hub hands out, within the limits that host.json sets. `functions` may be replaced while it runs."""

    def __init__(self, hub: WorkSource, functions: DurableFunctions, calls: AppCalls, clock: Clock, settings: DurableSettings) -> None:
        self.functions = functions
        self._hub = hub
        self._calls = calls
        self._clock = clock
        self._settings = settings
        self._memories: OrderedDict[str, _Memory] = OrderedDict()
        self._loops: list[asyncio.Task[None]] = []
        self._running: set[asyncio.Task[None]] = set()
        self._rejected: set[str] = set()

    @property
    def in_flight(self) -> int:
        """Work items being worked on."""
        return len(self._running)

    async def start(self) -> None:
        """Begin to take work; the hub must have been told so as well."""
        self._loops = [
            asyncio.create_task(self._fetch(self._hub.next_orchestration, self._turn, self._settings.max_concurrent_orchestrators)),
            asyncio.create_task(self._fetch(self._hub.next_activity, self._activity, self._settings.max_concurrent_activities)),
        ]

    async def drain(self) -> None:
        """Take no more work, and wait for what is in flight. Cancelling the wait leaves that to `stop`."""
        await call_off(*self._loops)
        self._loops = []
        while self._running:
            await asyncio.wait(set(self._running))

    async def stop(self) -> None:
        """Take no more work and hand back what is in flight: nothing of it is written, and it comes again."""
        await call_off(*self._loops)
        self._loops = []
        await call_off(*self._running)

    async def _fetch(self, next_item: Callable[[], Awaitable[T]], work: Callable[[T], Coroutine[Any, Any, None]], limit: int) -> None:
        """One loop: as many items at a time as the limit allows, each a task of its own."""
        slots = asyncio.Semaphore(limit)
        while True:
            await slots.acquire()
            try:
                item = await next_item()
            except HubError as problem:
                log.warning("The task hub has no work to give: %s", problem)
                slots.release()
                await self._clock.sleep(HUB_PAUSE_S)
                continue
            task = asyncio.create_task(work(item))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(lambda _: slots.release())

    # Orchestrations

    async def _turn(self, item: OrchestrationWorkItem) -> None:
        memory = self._recall(item)
        try:
            outcome = await (self._decide_entity(item) if is_entity(item.instance_id) else self._decide(item, memory))
        except asyncio.CancelledError:
            await self._abandon(item)
            raise
        except VersionRejected as rejection:
            self._say_once(item.instance_id, str(rejection))
            await self._abandon(item)
        except (WorkerDied, FunctionTimedOut) as problem:
            log.warning("An episode of instance '%s' is repeated: %s", item.instance_id, problem)
            await self._abandon(item)
        except Exception:
            log.exception("An episode of instance '%s' could not be decided; it is repeated", item.instance_id)
            await self._abandon(item)
        else:
            await self._commit(item, outcome, memory)

    async def _decide(self, item: OrchestrationWorkItem, memory: _Memory) -> Outcome:
        turn = take_turn(item.history, item.messages, memory.knowledge, self._now(), _new_id, self._settings, self.functions.refuses)
        try:
            episode = next(turn)
            while True:
                answer = await self._ask(episode, memory)
                episode = turn.send(Reply(answer, self._now()))
        except StopIteration as end:
            outcome: Outcome = end.value
            if outcome.non_deterministic is not None:
                await self._say_difference(episode, outcome.non_deterministic)
            return outcome

    async def _say_difference(self, episode: Episode, difference: NonDeterministic) -> None:
        place = await self._place(episode, difference)
        log.error(
            "Instance '%s' does not replay its history: row %d is %s, and the orchestrator now asks for %s%s.",
            *(episode.instance_id, difference.row, difference.recorded, difference.found),
            f" ({place.file}:{place.line})" if place else "",
        )
        if any(isinstance(event, GenericEvent) for event in episode.past):
            log.error(_REWOUND, episode.instance_id)

    async def _place(self, episode: Episode, difference: NonDeterministic) -> Place | None:
        """The line that differs. An orchestrator that does other things each time it is asked has none that is sure."""
        function = self.functions.get("orchestrator", episode.started.name)
        if function is None:
            return None
        document = request(episode, EncodedHistory(), self._settings.http_async_sleep_ms)
        try:
            place = await self._calls.place(function, document, difference.task_id)
        except (UserCodeFailed, LinariteError) as problem:
            log.debug("The line is not known: %s", problem)
            return None
        return place if place is not None and place.name.lower() == difference.calls.lower() else None

    async def _ask(self, episode: Episode, memory: _Memory) -> Answer:
        """Put an episode to the app."""
        name = episode.started.name
        function = self.functions.get("orchestrator", name)
        sentence = self.functions.sdk_objection or (None if function else self.functions.unknown("orchestrator", name))
        if function is None or sentence:
            return answers.refusal(name, sentence or "")
        clock = episode.new[0].timestamp
        document = request(episode, memory.history, self._settings.http_async_sleep_ms)
        try:
            text = await self._calls.call(function, document, {})
        except UserCodeFailed as error:
            return answers.failure(name, error, clock)
        except AppError as error:
            return answers.refusal(name, str(error))
        return answers.answer(name, text, clock)

    async def _decide_entity(self, item: OrchestrationWorkItem) -> Outcome:
        turn = take_entity_turn(item.instance_id, item.history, item.messages, self._now(), _new_id, self._settings)
        try:
            batch = next(turn)
            while True:
                batch = turn.send(await self._run_batch(batch))
        except StopIteration as end:
            return Outcome(end.value)

    async def _run_batch(self, batch: Batch) -> BatchReply:
        """Put a batch of operations to the app."""
        function = self.functions.get("entity", batch.name)
        sentence = self.functions.sdk_objection or (None if function else self.functions.unknown("entity", batch.name))
        if function is None or sentence:
            return entities.failed(batch, sentence or "", self._now())
        try:
            text = await self._calls.call(function, entities.request(batch), {})
        except UserCodeFailed as error:
            return entities.failed(batch, str(error), self._now())
        except FunctionTimedOut as error:
            return entities.timed_out(batch, str(error), self._now())
        except AppError as error:
            return entities.failed(batch, str(error), self._now())
        return entities.reply(batch, text, self._now())

    async def _commit(self, item: OrchestrationWorkItem, outcome: Outcome, memory: _Memory) -> None:
        for warning in outcome.warnings:
            log.warning("Instance '%s': %s", item.instance_id, warning)
        self._remember(item, memory, outcome)  # before: the next work item may be here before this one is all done with
        try:
            await self._hub.commit(item, outcome.decision)
        except WorkItemLockLost as lost:
            log.info("Instance '%s' is worked on elsewhere; this episode is dropped. %s", item.instance_id, lost)
            self._memories.pop(item.instance_id, None)
        except HubError as problem:
            log.warning("An episode of instance '%s' could not be committed and is repeated: %s", item.instance_id, problem)
            self._memories.pop(item.instance_id, None)
            await self._abandon(item)

    async def _abandon(self, item: OrchestrationWorkItem) -> None:
        with contextlib.suppress(HubError):
            await self._hub.abandon(item)

    def _recall(self, item: OrchestrationWorkItem) -> _Memory:
        memory = self._memories.get(item.instance_id)
        execution_id = execution_id_of(item.history, item.messages)
        if memory is None or memory.execution_id != execution_id:
            return _Memory(execution_id)
        if memory.events != len(item.history):
            memory.knowledge = Knowledge()
        return memory

    def _remember(self, item: OrchestrationWorkItem, memory: _Memory, outcome: Outcome) -> None:
        instance_id = item.instance_id
        if outcome.is_over or is_entity(instance_id):
            self._memories.pop(instance_id, None)
            return
        if outcome.decision.replaces_history:
            memory = _Memory(outcome.decision.execution_id)
        memory.knowledge = outcome.knowledge
        memory.events = len(outcome.decision.new_events) + (0 if outcome.decision.replaces_history else len(item.history))
        self._memories[instance_id] = memory
        self._memories.move_to_end(instance_id)
        while len(self._memories) > REMEMBERED:
            self._memories.popitem(last=False)

    def _say_once(self, instance_id: str, sentence: str) -> None:
        if instance_id in self._rejected:
            return
        if len(self._rejected) >= REMEMBERED:
            self._rejected.clear()
        self._rejected.add(instance_id)
        log.warning("%s", sentence)

    # Activities

    async def _activity(self, item: ActivityWorkItem) -> None:
        event = item.message.event
        assert isinstance(event, TaskScheduled)
        try:
            answer = await self._run(event, item.message.target.instance_id)
        except asyncio.CancelledError:
            await self._abandon_activity(item)
            raise
        except WorkerDied as problem:
            log.warning("Activity '%s' of instance '%s' runs again: %s", event.name, item.message.target.instance_id, problem)
            await self._abandon_activity(item)
        except Exception:
            log.exception("Activity '%s' of instance '%s' could not be run; it is tried again", event.name, item.message.target.instance_id)
            await self._abandon_activity(item)
        else:
            await self._answer(item, answer)

    async def _run(self, event: TaskScheduled, instance_id: str) -> HistoryEvent:
        """Run an activity to its answer, whatever that is."""
        if event.name.lower() == answers.HTTP_ACTIVITY.lower():
            return await run_http_activity(event, self._clock)
        function = self.functions.get("activity", event.name)
        if function is None:
            return activities.refused(event.event_id, event.name, self.functions.unknown("activity", event.name), self._now())
        try:
            returned = await self._calls.call(function, activities.trigger_value(event.input), {"instanceId": string(instance_id)})
        except UserCodeFailed as error:
            return activities.failed(event.event_id, event.name, error, self._now())
        except WorkerDied:
            raise
        except LinariteError as error:  # it took too long, or a binding of it could not be read or written
            return activities.refused(event.event_id, event.name, str(error), self._now())
        return activities.completed(event.event_id, returned, self._now())

    async def _answer(self, item: ActivityWorkItem, answer: HistoryEvent) -> None:
        asked = item.message
        episode = -1 if asked.episode is None else asked.episode
        message = TaskMessage(event=answer, target=asked.target, sender=asked.target, episode=episode)
        try:
            await self._hub.complete(item, message)
        except HubError as problem:
            log.warning(
                "The answer of an activity of instance '%s' could not be sent; it runs again: %s", asked.target.instance_id, problem
            )
            await self._abandon_activity(item)

    async def _abandon_activity(self, item: ActivityWorkItem) -> None:
        with contextlib.suppress(HubError):
            await self._hub.abandon_activity(item)

    def _now(self) -> Timestamp:
        return timestamp(self._clock.now())


def _new_id() -> str:
    return uuid.uuid4().hex
