"""What an entity's function is given for a batch, and what is made of its answer.

Source: durable-extension, TaskEntityShim and OutOfProcOrchestrationShim; azure-functions-durable, models/entities.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, UnsetType

from linarite.dialects.json_shim.texts import compact, parses, quoted
from linarite.durable.entities import Batch, BatchReply, Result, Signal
from linarite.timestamps import Timestamp


class _Operation(msgspec.Struct, rename="camel"):
    name: str | None
    input: str
    is_signal: bool
    id: str


class _Self(msgspec.Struct):
    name: str
    key: str


class _Request(msgspec.Struct, rename={"me": "self"}):
    me: _Self
    exists: bool
    state: str | None
    batch: list[_Operation]


class _Result(msgspec.Struct, rename="camel"):
    is_error: bool = False
    result: str | None = None


class _Target(msgspec.Struct):
    name: str
    key: str


class _Signal(msgspec.Struct):
    target: _Target
    name: str
    input: Raw | UnsetType = UNSET


class _Answer(msgspec.Struct, rename="camel"):
    entity_exists: bool = False
    entity_state: str | None = None
    results: list[_Result] = []
    signals: list[_Signal] = []


def request(batch: Batch) -> str:
    """The trigger's value."""
    operations = [_Operation(asked.op, operation_input(asked.input), asked.signal, asked.id) for asked in batch.operations]
    return msgspec.json.encode(_Request(_Self(batch.name, batch.key), batch.exists, batch.state, operations)).decode()


def operation_input(stored: str | None) -> str:
    """An operation's input as the SDK reads it: JSON text of a string that holds JSON text.

    The SDK's own requests have that form; what came over plain HTTP is brought into it, and so is nothing at all.
    """
    if stored is None or not stored.strip():
        return '"null"'
    try:
        value = msgspec.json.decode(stored)
    except (msgspec.DecodeError, RecursionError):
        return quoted(stored if parses(stored) else quoted(stored))
    return stored if isinstance(value, str) and parses(value) else quoted(stored)


def reply(batch: Batch, text: str | None, at: Timestamp) -> BatchReply:
    """What came of a batch whose invocation returned; an answer that cannot be used fails every operation."""
    try:
        answer = msgspec.json.decode(text or "", type=_Answer)
    except (msgspec.DecodeError, RecursionError) as error:
        return failed(batch, f"Entity function '{batch.name}' did not answer with an entity's JSON document: {error}", at)
    if len(answer.results) != len(batch.operations):
        return failed(
            batch,
            f"Entity function '{batch.name}' answered {len(answer.results)} of {len(batch.operations)} operations; each needs one result.",
            at,
        )
    return BatchReply(
        exists=answer.entity_exists,
        state=answer.entity_state,
        results=tuple(Result(result.result, result.is_error) for result in answer.results),
        signals=tuple(_signal(signal) for signal in answer.signals),
        at=at,
    )


def _signal(signal: _Signal) -> Signal:
    text = None if isinstance(signal.input, UnsetType) or bytes(signal.input) == b"null" else compact(signal.input)
    return Signal(f"@{signal.target.name.lower()}@{signal.target.key}", signal.name, text)


def failed(batch: Batch, sentence: str, at: Timestamp) -> BatchReply:
    """Every operation has failed with this sentence; the state is as it was."""
    return _all_failed(batch, quoted(sentence), at)


def timed_out(batch: Batch, sentence: str, at: Timestamp) -> BatchReply:
    """The function took too long: the one text that the SDK takes although it is not JSON."""
    return _all_failed(batch, sentence, at)


def _all_failed(batch: Batch, text: str, at: Timestamp) -> BatchReply:
    results = tuple(Result(text, is_error=True) for _ in batch.operations)
    return BatchReply(exists=batch.exists, state=batch.state, results=results, signals=(), at=at)
