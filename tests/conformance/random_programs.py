"""Programs of `tests.durable.programs` by seed: the same ones in every process and with every version of every library."""

from __future__ import annotations

from random import Random

from tests.durable.programs import Program, numbered

DEPTH = 3


def some_programs(seed: int, how_many: int) -> list[Program]:
    """So many programs, of few parts or many."""
    random = Random(seed)
    return [numbered(_whole(random, random.randint(0, DEPTH))) for _ in range(how_many)]


def _whole(random: Random, depth: int) -> Program:
    """What an instance runs."""
    program = _statement(random, depth)
    return ["again", random.randint(1, 2), program] if random.random() < 0.25 else program


def _statement(random: Random, depth: int) -> Program:
    kind = random.choice(("leaf", "all", "any", "seq", "seq", "try")) if depth else "leaf"
    match kind:
        case "all" | "any":
            return [kind, [_part(random, depth - 1) for _ in range(random.randint(1, 4))]]
        case "seq":
            return [kind, [_statement(random, depth - 1) for _ in range(random.randint(0, 4))]]
        case "try":
            return [kind, _statement(random, depth - 1)]
    return _leaf(random)


def _part(random: Random, depth: int) -> Program:
    """A part of a compound. Only the outermost one holds what may fail, since the SDK's own break when an inner one does."""
    match random.choice(("leaf", "leaf", "sub", "nested")):
        case "sub":
            return ["sub", _whole(random, depth)]
        case "nested":
            return _nested(random, depth)
    return _leaf(random)


def _nested(random: Random, depth: int) -> Program:
    if not depth or random.random() < 0.5:
        return _sure(random)
    return [random.choice(("all", "any")), [_nested(random, depth - 1) for _ in range(random.randint(1, 3))]]


def _leaf(random: Random) -> Program:
    match random.choice(("sure", "sure", "sure", "fail", "flaky")):
        case "fail":
            return ["fail", random.randint(0, 99)]
        case "flaky":
            return ["flaky", 0, random.randint(0, 3), random.randint(1, 3)]
    return _sure(random)


def _sure(random: Random) -> Program:
    """What does not fail."""
    match random.choice(("act", "flaky", "timer", "event", "ask")):
        case "flaky":
            return ["flaky", 0, random.randint(0, 1), 2]
        case "timer":
            return ["timer", random.randint(0, 3600)]
        case "event":
            return ["event", 0]
        case "ask":
            return ["ask", 0, [random.randint(0, 99) for _ in range(random.randint(0, 3))]]
    return ["act", random.randint(0, 99)]
