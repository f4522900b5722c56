"""HTTP requests as functions see them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linarite.web import requests
from linarite.web.requests import Message, Scope


def scope(query: bytes = b"", *headers: tuple[str, str], path: str = "/api/x", method: str = "GET", version: str = "1.1") -> Scope:
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "http_version": version,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (("host", "localhost:7071"), *headers)],
    }


@pytest.mark.parametrize(
    ("query", "params"),
    [
        (b"a=1&a=2&b=&c&d=%20x+y&=z&E=1&e=2", {"a": "1,2", "d": " x y", "": "z", "e": "1,2"}),
        (b"k%20ey=v%26al&u=%C3%A9&bad=%FF&pct=%zz&plus=a+b", {"k ey": "v&al", "u": "é", "bad": "%FF", "pct": "%zz", "plus": "a b"}),
        (b'a[]=1&a[]=2&j={"x":1}', {"a[]": "1,2", "j": '{"x":1}'}),
        (b"A=1&a=2", {"a": "1,2"}),
        (b"code=abc", {"code": "abc"}),
        (b"a=&a=1&a=", {"a": "1"}),
        (b"a=x=y&&", {"a": "x=y"}),
    ],
)
def test_query_values_are_joined_and_empty_ones_dropped(query: bytes, params: dict[str, str]) -> None:
    assert requests.joined(requests.read_query(query)) == params


def test_repeated_headers_are_joined_by_a_comma() -> None:
    given = scope(b"", ("X-A", "1"), ("X-A", "2"), ("x-a", "3"), ("X-B", "a,b"), ("Cookie", "a=1"), ("Cookie", "b=2"), ("X-E", ""))
    headers = requests.read_headers(given)
    assert headers == {"host": "localhost:7071", "x-a": "1,2,3", "x-b": "a,b", "cookie": "a=1,b=2", "x-e": ""}


def test_header_values_are_utf8() -> None:
    assert requests.read_headers(scope(b"", ("X-L", "Ã©")))["x-l"] == "é"
    with pytest.raises(UnicodeDecodeError):
        requests.read_headers(scope(b"", ("X-L", "é")))


def test_the_url_has_the_host_header_and_the_query_as_it_was_sent() -> None:
    given = scope(b"a=%20&b", ("host", "ignored"), path="/api/x y")
    request = requests.http_request(given, "/api/x%20y", {"host": "example.com:99"}, {"id": "5"}, b"body")
    assert request.url == "http://example.com:99/api/x%20y?a=%20&b"
    assert (request.query, request.params, request.body, request.method) == ({"a": " "}, {"id": "5"}, b"body", "GET")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (scope(), None),
        (scope(b"", *((f"X-{i}", "1") for i in range(100))), 431),
        (scope(b"", *((f"X-{i}", "1") for i in range(99))), None),
        (scope(b"", ("X-B", "a" * 33_000)), 431),
        (scope(path="/" + "a" * 9000), 414),
        (scope(b"a" * 9000), 414),
        (scope(b"\xc3\xa9"), 400),
        ({**scope(), "headers": []}, 400),
        ({**scope(version="1.0"), "headers": []}, None),
    ],
)
def test_what_the_functions_hosts_server_refuses_is_refused(given: Scope, status: int | None) -> None:
    assert requests.refusal(given) == status


class Incoming:
    """A `receive` that hands out messages."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)

    async def __call__(self) -> Message:
        return self._messages.pop(0)


async def test_a_body_in_pieces_is_put_together() -> None:
    receive = Incoming(
        {"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request", "body": b"b"}, {"type": "http.disconnect"}
    )
    assert await requests.read_body(receive) == b"ab"


async def test_a_client_that_hangs_up_within_its_body_gets_no_answer() -> None:
    with pytest.raises(requests.ClientGone):
        await requests.read_body(Incoming({"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}))


def metadata(query: bytes, body: bytes, params: dict[str, str], **headers: str) -> dict[str, Any]:
    given = scope(query)
    request = requests.http_request(given, "/api/x", {name.replace("_", "-"): value for name, value in headers.items()}, params, body)
    return {name: (datum.kind, datum.value) for name, datum in requests.trigger_metadata(request, query).items()}


def test_binding_data_prefers_route_values_to_query_values_to_the_json_body() -> None:
    data = metadata(
        b"a=1&b=2&b=3", b'{"a": 0, "b": 0, "c": 1.5, "d": {"x": 1}, "e": null}', {"a": "route"}, content_type="application/json"
    )
    assert {name: data[name] for name in "abcd"} == {
        "a": ("string", "route"),
        "b": ("string", "3"),
        "c": ("string", "1.5"),
        "d": ("json", '{"x":1}'),
    }
    assert "e" not in data
    assert json.loads(data["Query"][1]) == {"a": "1", "b": "3"}
    assert json.loads(data["Headers"][1]) == {"content-type": "application/json"}


def test_the_key_in_the_query_is_no_binding_data_of_its_own() -> None:
    assert "code" not in metadata(b"code=secret", b"", {})


def test_a_body_that_is_not_json_gives_no_binding_data() -> None:
    assert set(metadata(b"", b"{", {}, content_type="application/json")) == {"Query", "Headers"}
    assert set(metadata(b"", b'{"a": 1}', {}, content_type="text/plain")) == {"Query", "Headers"}


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"01-{TRACE}-00f067aa0ba902b7-01-x",
        f"00-{TRACE}-1-1",
    ],
)
def test_what_is_no_trace_is_not_continued(given: str) -> None:
    assert requests.trace_of({"traceparent": given, "tracestate": "a=b"}) == ("", "")


def test_a_trace_is_continued_by_a_span_of_ours() -> None:
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-00", "tracestate": "a=b"}
    (parent, state), (other, _) = requests.trace_of(headers), requests.trace_of(headers)
    assert parent.startswith(f"00-{TRACE}-")
    assert parent.endswith("-00")
    assert len({parent, other, headers["traceparent"]}) == 3
    assert state == "a=b"
