"""Queue outputs taken apart, and messages in their encodings."""

from __future__ import annotations

import base64

import pytest

from linarite.bindings.queue_messages import BadMessage, NotDecodable, as_text, contents, decoded, encoded
from linarite.invocation import NONE, Datum, json_text, string


@pytest.mark.parametrize(
    ("output", "messages"),
    [
        (string("hello é"), ["hello é"]),
        (string(""), [""]),
        (string("5"), ["5"]),
        (string('{"a": '), ['{"a": ']),
        (string('{"a": 1}'), ['{\n  "a": 1\n}']),
        (string('[1, {"b": 2}, "x"]'), ["1", '{\n  "b": 2\n}', "x"]),
        (string('["{\\"a\\": 1}", [1]]'), ['{"a": 1}', "[\n  1\n]"]),
        (string("[]"), []),
        (string("{'a': 1}"), ['{\n  "a": 1\n}']),
        (json_text('["a", 1, {"b": 2}, null]'), ["a", "1", '{\n  "b": 2\n}', ""]),
        (json_text('["{\\"a\\": 1}", "{\\"b\\": 2}"]'), ['{"a": 1}', '{"b": 2}']),
        (json_text('{"id": "x", "body": "hello"}'), ['{\n  "id": "x",\n  "body": "hello"\n}']),
        (json_text("[true, 1.0, 2.5]"), ["True", "1", "2.5"]),
        (json_text("null"), []),
        (json_text('"[1, 2]"'), ["1", "2"]),
        (Datum("int", 7), ["7"]),
        (Datum("double", 1.0), ["1"]),
        (Datum("collection_string", ["a", "b"]), ["a", "b"]),
        (NONE, []),
    ],
)
def test_what_an_output_becomes(output: Datum, messages: list[str]) -> None:
    assert [content.decode() for content in contents(output)] == messages


def test_bytes_are_never_looked_into() -> None:
    assert contents(Datum("bytes", b"\x00\xff")) == [b"\x00\xff"]
    assert contents(Datum("bytes", b"[1]")) == [b"[1]"]
    assert contents(Datum("collection_bytes", [b"1", b"2"])) == [b"1", b"2"]


@pytest.mark.parametrize("text", ["{'a': True}", "{a}", "[1 2]"])
def test_brackets_at_both_ends_promise_json(text: str) -> None:
    with pytest.raises(BadMessage, match="begins and ends like JSON but is not"):
        contents(string(text))


def test_encodings() -> None:
    assert encoded(b"\x00\xff", "base64", "q") == "AP8="
    assert encoded("é".encode(), "none", "q") == "é"
    assert decoded("AP8=", "base64") == b"\x00\xff"
    assert decoded(" A\nP8= ", "base64") == b"\x00\xff"
    assert decoded("é", "none") == "é".encode()


@pytest.mark.parametrize("text", ["plain not base64!", '{"raw":"json"}', "AP8", "AP8=x"])
def test_what_is_not_base64_is_not_decoded(text: str) -> None:
    with pytest.raises(NotDecodable, match="not Base64"):
        decoded(text, "base64")


def test_a_text_is_utf8() -> None:
    assert as_text("é".encode()) == "é"
    with pytest.raises(NotDecodable, match="not UTF-8"):
        as_text(b"\xff\xfe\x00")


def test_the_longest_message_counts_base64() -> None:
    longest = 49152
    assert len(encoded(b"x" * longest, "base64", "q")) == 65536
    with pytest.raises(BadMessage, match=r"49153 bytes, 65540 as Base64 is too long for queue 'q'.*Put the content into a blob"):
        encoded(b"x" * (longest + 1), "base64", "q")
    assert len(encoded(b"x" * 65536, "none", "q")) == 65536
    with pytest.raises(BadMessage, match="65537 bytes is too long"):
        encoded(b"x" * 65537, "none", "q")


def test_plain_encoding_takes_text_only() -> None:
    with pytest.raises(BadMessage, match="messageEncoding to base64"):
        encoded(b"\xff", "none", "q")


def test_base64_is_what_the_service_sees() -> None:
    assert base64.b64decode(encoded(b"hello", "base64", "q")) == b"hello"
