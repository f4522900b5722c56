"""Random orchestrations: small programs, the orchestrator that runs any of them, and what their author means by them.

A program is JSON, so that it can be an orchestrator's input. Awaitables: `act`, `fail`, `flaky` (retried), `timer`, `sub`, `event`,
`ask` (of an entity, after telling it things), and `all`, `any` of awaitables. Statements: an awaitable, `seq` of statements, `try`.
A whole instance may be `again`: run, and continued as new so many times.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from hypothesis import strategies as st

Program = list[Any]

_number = st.integers(0, 99)
_sure = st.one_of(
    st.tuples(st.just("act"), _number),
    st.tuples(st.just("flaky"), st.just(0), st.integers(0, 1), st.just(2)),
    st.tuples(st.just("timer"), st.integers(0, 3600)),
    st.tuples(st.just("event"), st.just(0)),
    st.tuples(st.just("ask"), st.just(0), st.lists(_number, max_size=3)),
)
_leaves = st.one_of(
    _sure, st.tuples(st.just("fail"), _number), st.tuples(st.just("flaky"), st.just(0), st.integers(0, 3), st.integers(1, 3))
)
_kinds = st.sampled_from(("all", "any"))
_nested = st.recursive(_sure, lambda inner: st.tuples(_kinds, st.lists(inner, min_size=1, max_size=3)), max_leaves=4)
"""Only the outermost compound holds what may fail: the SDK's own compounds break when an inner one fails and completes afterwards."""


def _whole(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What an instance runs."""
    return st.one_of(inner, st.tuples(st.just("again"), st.integers(1, 2), inner))


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.one_of(_leaves, _nested, st.tuples(st.just("sub"), _whole(inner)))
    return st.one_of(
        st.tuples(_kinds, st.lists(parts, min_size=1, max_size=4)),
        st.tuples(st.just("seq"), st.lists(inner, max_size=4)),
        st.tuples(st.just("try"), inner),
    )


programs: st.SearchStrategy[Any] = _whole(st.recursive(_leaves, _grown, max_leaves=8))
"""Any program; `numbered` makes its events, flaky activities and entities its own."""


def hurried(program: Any) -> Any:
    """The same, with timers of two seconds at most."""
    match program:
        case ["timer", seconds]:
            return ["timer", seconds % 3]
        case [*parts]:
            return [hurried(part) for part in parts]
    return program


def numbered(program: Any, names: Generator[int, None, None] | None = None) -> Program:
    """The program as lists, each event, flaky activity and entity with a name of its own."""
    names = names or _count()
    kind, *rest = program
    match kind:
        case "event":
            return ["event", next(names)]
        case "flaky" | "ask":
            return [kind, next(names), *rest[1:]]
        case "all" | "any" | "seq":
            return [kind, [numbered(child, names) for child in rest[0]]]
        case "try" | "sub":
            return [kind, numbered(rest[0], names)]
        case "again":
            return [kind, rest[0], numbered(rest[1], names)]
    return [kind, *rest]


def _count() -> Generator[int, None, None]:
    number = 0
    while True:
        yield number
        number += 1


def orchestrator(context: Any) -> Generator[Any, Any, Any]:
    """Runs the program that is its input."""
    program = context.get_input()
    times, part = program[1:] if program[0] == "again" else (0, program)
    result = yield from _run(context, part)
    if times:
        context.continue_as_new(["again", times - 1, part])
        return None
    return result


def _run(context: Any, program: Program) -> Generator[Any, Any, Any]:
    kind, *rest = program
    if kind == "seq":
        results = []
        for statement in rest[0]:
            results.append((yield from _run(context, statement)))
        return results
    if kind == "try":
        try:
            return (yield from _run(context, rest[0]))
        except Exception:
            return "caught"
    return _plain((yield _task(context, program)), program)


def _task(context: Any, program: Program) -> Any:
    match program:
        case ["act", number]:
            return context.call_activity("echo", number)
        case ["fail", number]:
            return context.call_activity("boom", number)
        case ["flaky", name, failures, attempts]:
            return context.call_activity_with_retry("flaky", df.RetryOptions(1000, attempts), [name, failures])
        case ["timer", seconds]:
            return context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))
        case ["event", name]:
            return context.wait_for_external_event(f"e{name}")
        case ["ask", name, numbers]:
            notes = df.EntityId("notes", f"{context.instance_id}.{name}")
            for number in numbers:
                context.signal_entity(notes, "note", number)
            return context.call_entity(notes, "read")
        case ["sub", child]:
            return context.call_sub_orchestrator("program", child)
        case ["all", children]:
            return context.task_all([_task(context, child) for child in children])
        case ["any", children]:
            return context.task_any([_task(context, child) for child in children])
    raise AssertionError(program)


def entity(context: Any) -> None:
    """Notes numbers, each once: what is told twice, since its teller died before it was written down that it had told, changes nothing."""
    noted = context.get_state(list)
    if context.operation_name == "note":
        context.set_state(sorted({*noted, context.get_input()}))
    else:
        context.set_result(noted)


def _plain(result: Any, program: Program) -> Any:
    """A result without what depends on who was first."""
    match program:
        case ["any", _]:
            return "any"
        case ["all", children]:
            return [_plain(value, child) for value, child in zip(result, children, strict=True)]
    return result


class Activities:
    """What the programs call. `run` does it for a task of an execution; a task that runs twice does the same both times."""

    def __init__(self) -> None:
        self._attempts: dict[tuple[str, int], list[int]] = {}

    def run(self, name: str, value: Any, execution_id: str, task_id: int) -> Any:
        match name:
            case "echo":
                return value
            case "flaky":
                return self._flaky(value, execution_id, task_id)
        raise ValueError(f"{name} {value}")

    def _flaky(self, asked: list[int], execution_id: str, task_id: int) -> int:
        """Fail as often as asked."""
        name, failures = asked
        attempts = self._attempts.setdefault((execution_id, name), [])
        if task_id not in attempts:
            attempts.append(task_id)
        if attempts.index(task_id) < failures:
            raise ValueError("not yet")
        return name


class Failed(Exception):
    """The program, or this part of it, fails."""


def meant(program: Program) -> Any:
    """What the author means the program to return. Raises Failed."""
    match program:
        case ["act", number]:
            return number
        case ["fail", _]:
            raise Failed
        case ["flaky", name, failures, attempts]:
            if failures >= attempts:
                raise Failed
            return name
        case ["timer", _]:
            return None
        case ["event", name]:
            return f"value {name}"
        case ["ask", _, numbers]:
            return sorted({*numbers})
        case ["any", _]:
            return "any"
        case ["all" | "seq", parts]:
            return [meant(part) for part in parts]
        case ["sub", child] | ["again", _, child]:
            return meant(child)
        case ["try", part]:
            try:
                return meant(part)
            except Failed:
                return "caught"
    raise AssertionError(program)


def events_of(program: Program) -> list[int]:
    """The events that the program itself waits for, its children's left out."""
    match program:
        case ["event", name]:
            return [name]
        case ["all" | "any" | "seq", parts]:
            return [name for part in parts for name in events_of(part)]
        case ["try", part] | ["again", _, part]:
            return events_of(part)
    return []
