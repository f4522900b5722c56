"""The orchestrations of the engine's recordings, by hand: what each asks for, and answers, given what it has seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from linarite.durable.actions import (
    Action,
    Answer,
    CallActivity,
    CallSubOrchestration,
    ContinueAsNew,
    CreateTimer,
    Failure,
    RetryPolicy,
    SendEvent,
    WaitForEvent,
)
from linarite.durable.events import FailureDetails, TaskCompleted, TaskFailed
from linarite.durable.messages import FIRE_AND_FORGET
from linarite.timestamps import moment, timestamp
from tests.golden.engine_player import Orchestrator, Seen

Fails = Callable[[], tuple[str, FailureDetails | None]]


def call(name: str, argument: object, retry: RetryPolicy | None = None) -> CallActivity:
    return CallActivity(name=name, input=_json([argument]), retry=retry)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def in_sequence(*calls: Action, output: Callable[[list[str]], str]) -> Orchestrator:
    """Each call waits for the one before."""

    def run(seen: Seen) -> Answer:
        ready = [number for number in range(len(calls)) if all(earlier in seen.done for earlier in range(number + 1))]
        if len(ready) < len(calls):
            return Answer(actions=calls[: len(ready) + 1])
        return Answer(actions=calls, is_done=True, output=output([seen.result(number) for number in ready]))

    return run


def _list(results: list[str]) -> str:
    return "[" + ",".join(results) + "]"


chain = in_sequence(call("Hello", "Tokyo"), call("Hello", "Seattle"), call("Hello", "London"), output=_list)
child = in_sequence(call("Hello", "child"), output=lambda results: _json("child:" + json.loads(results[0])))
rewindable_calls = (call("Hello", "before"), call("FailOnce", "x"))
parent = in_sequence(
    CallSubOrchestration(name="Child", input='"in"', instance_id="parent-1-child", version=""),
    CallSubOrchestration(name="Child", input='"implicit"', version=""),
    output=_list,
)


def retry(seen: Seen) -> Answer:
    actions = (call("Flaky", "x", RetryPolicy(first_interval_s=1, max_attempts=3)),)
    answer = next((event for event in seen.done.values() if isinstance(event, TaskCompleted)), None)
    return Answer(actions=actions, is_done=answer is not None, output=answer.result if answer else None)


def fan_out(seen: Seen) -> Answer:
    calls = tuple(call("Echo", number) for number in range(5))
    if len(seen.done) < 5:
        return Answer(actions=calls)
    return Answer(actions=calls, is_done=True, output=str(sum(int(seen.result(number)) for number in range(5))))


def _later(seen: Seen, seconds: float) -> str:
    """An instant that is the same at every replay: counted from the first episode's time."""
    return timestamp(moment(seen.began) + timedelta(seconds=seconds))


def timer(seen: Seen) -> Answer:
    actions = (CreateTimer(fire_at=_later(seen, 2)),)
    return Answer(actions=actions, is_done=0 in seen.done, output='"fired"' if 0 in seen.done else None)


def timer_race(seen: Seen) -> Answer:
    has_won = 1 in seen.done
    actions = (CreateTimer(fire_at=_later(seen, 6), is_canceled=has_won), call("Hello", "race"))
    return Answer(actions=actions, is_done=has_won, output='"activity won"' if has_won else None)


def events(seen: Seen) -> Answer:
    actions = (WaitForEvent(name="first"), WaitForEvent(name="second"))
    if len(seen.raised) < 2:
        return Answer(actions=actions)
    return Answer(actions=actions, is_done=True, output=_list([seen.raised["first"] or "null", seen.raised["second"] or "null"]))


def waiter(seen: Seen) -> Answer:
    actions = (WaitForEvent(name="go"),)
    if "go" not in seen.raised:
        return Answer(actions=actions, custom_status='{"state":"waiting"}')
    return Answer(actions=actions, is_done=True, output='"released"', custom_status='{"state":"done"}')


def catch(seen: Seen) -> Answer:
    failure = seen.done.get(0)
    text = failure.reason if isinstance(failure, TaskFailed) else None
    return Answer(actions=(call("Boom", "x"),), is_done=failure is not None, output=_json(text) if text else None)


def fails_after(action: Action, why: Fails) -> Orchestrator:
    """Fails as it did when it was recorded, once the answer is there."""

    def run(seen: Seen) -> Answer:
        if 0 not in seen.done:
            return Answer(actions=(action,))
        text, details = why()
        return Answer(actions=(action,), failure=Failure(text=text, failure_details=details))

    return run


def eternal(seen: Seen) -> Answer:
    number = int(seen.input or "0")
    status = f'{{"round":{number}}}'
    if number == 3:
        return Answer(is_done=True, output='"done 3"', custom_status=status)
    actions: tuple[Action, ...] = (call("Hello", f"round{number}"),)
    if 0 in seen.done and number == 1:
        actions += (WaitForEvent(name="go"),)
    if 0 in seen.done and (number != 1 or "go" in seen.raised):
        return Answer(actions=(*actions, ContinueAsNew(input=str(number + 1))), is_done=True, custom_status=status)
    return Answer(actions=actions, custom_status=status)


def big_out(seen: Seen) -> Answer:
    actions: tuple[Action, ...] = (call("Big", int(seen.input or "0")),)
    if 0 not in seen.done:
        return Answer(actions=actions)
    actions += (CallActivity(name="Echo", input=f"[{seen.result(0)}]"),)
    is_done = 1 in seen.done
    return Answer(actions=actions, is_done=is_done, output=seen.result(1) if is_done else None)


def echo1(seen: Seen) -> Answer:
    is_done = 0 in seen.done
    return Answer(actions=(call("Hello", "é☃"),), is_done=is_done, output=seen.input if is_done else None)


SENT = '{"$type":"<>f__AnonymousType2`1[[System.String, System.Private.CoreLib]], a","from":"sender"}'


def send_event(seen: Seen) -> Answer:
    return Answer(actions=(SendEvent(instance_id="send-target", name="go", input=SENT),), is_done=True, output='"sent"')


def fire_forget(seen: Seen) -> Answer:
    forgotten = CallSubOrchestration(name="Child", input='"in"', instance_id="ff-child", version="", tags={FIRE_AND_FORGET: ""})
    is_done = 1 in seen.done
    return Answer(actions=(forgotten, call("Hello", "x")), is_done=is_done, output='"forgot"' if is_done else None)


def rewindable(why: Fails) -> Orchestrator:
    """Its second activity fails the first time."""

    def run(seen: Seen) -> Answer:
        if isinstance(seen.done.get(1), TaskFailed):
            text, details = why()
            return Answer(actions=rewindable_calls, failure=Failure(text=text, failure_details=details))
        return in_sequence(*rewindable_calls, output=_list)(seen)

    return run


def rewind_parent(why: Fails) -> Orchestrator:
    action = CallSubOrchestration(name="Rewindable", input='"in"', instance_id="rewind-child", version="")

    def run(seen: Seen) -> Answer:
        answer = seen.done.get(0)
        if answer is not None and hasattr(answer, "reason"):
            text, details = why()
            return Answer(actions=(action,), failure=Failure(text=text, failure_details=details))
        return Answer(actions=(action,), is_done=answer is not None, output=seen.result(0) if answer is not None else None)

    return run
