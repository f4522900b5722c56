"""Frames as the worker reads and writes them, and as the host does: both halves agree."""

from __future__ import annotations

import io

import msgspec
import pytest

from linarite.invocation import Datum, Invocation, InvocationResult, json_text, string
from linarite.workers import wire
from linarite_worker import frames


def test_frames_come_out_as_they_went_in() -> None:
    data = frames.frame({"op": "a", "text": "é"}, b"body") + frames.frame({"op": "b"})
    assert list(frames.read(io.BytesIO(data))) == [({"op": "a", "text": "é"}, b"body"), ({"op": "b"}, b"")]


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_stream_that_ends_within_a_frame_ends(cut: int) -> None:
    data = frames.frame({"op": "a"}, b"0123456789")
    assert list(frames.read(io.BytesIO(data[:-cut]))) == []


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        frames.frame({"value": float("nan")})
    with pytest.raises(UnicodeEncodeError):
        frames.frame({"value": "\ud800"})


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_the_host_cuts_the_stream_wherever_it_is_read(size: int) -> None:
    body = bytes(range(256)) * 8
    result = {"op": "result", "id": "1", "value": ["bytes", None, len(body)], "outputs": {"o": ["string", "x"]}}
    data = frames.frame({"op": "ready"}) + frames.frame(result, body) + frames.frame({"op": "ready"})
    parser = wire.FrameParser()
    found = [one for at in range(0, len(data), size) for one in parser.feed(data[at : at + size])]
    assert [type(message).__name__ for message, _ in found] == ["Ready", "Result", "Ready"]
    message, received = found[1]
    assert isinstance(message, wire.Result)
    assert wire.result(message, received) == InvocationResult(return_value=Datum("bytes", body), outputs={"o": string("x")})


def test_outputs_share_a_body_in_their_order() -> None:
    header = {
        "op": "result",
        "id": "1",
        "value": ["json", None, 2],
        "outputs": {"a": ["collection_bytes", [1, 2]], "b": ["http", ["200", {}, []], 3], "c": ["string", None, 1]},
    }
    [(message, body)] = wire.FrameParser().feed(frames.frame(header, b"AbcXYZs{}"))
    assert isinstance(message, wire.Result)
    found = wire.result(message, body)
    assert found.outputs["a"] == Datum("collection_bytes", [b"A", b"bc"])
    assert found.outputs["b"].value.body == b"XYZ"
    assert (found.outputs["c"], found.return_value) == (string("s"), json_text("{}"))


def test_what_no_worker_says_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        list(wire.FrameParser().feed(frames.frame({"op": "unknown"})))


def test_an_invocation_says_only_what_it_has() -> None:
    one = Invocation(id="1", function_id="f", function_name="n", inputs={"a": Datum("collection_string", ["x"])})
    [(header, body)] = frames.parse(wire.invoke(one))
    assert (header, body) == (
        {"op": "invoke", "id": "1", "function_id": "f", "function_name": "n", "inputs": {"a": ["collection_string", ["x"]]}},
        b"",
    )
