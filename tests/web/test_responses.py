"""HTTP responses from what functions return."""

from __future__ import annotations

from typing import Any

import pytest

from linarite.invocation import Datum, HttpResponse, InvocationResult, string
from linarite.web import responses
from linarite.web.reply import Reply
from linarite.web.responses import UnusableResponse
from tests.web.functions import function, http_function

PLAIN = [(b"content-type", b"text/plain; charset=utf-8")]


def returned(value: Datum | None) -> Reply:
    return responses.reply_to(InvocationResult(return_value=value), "$return")


def response(
    body: bytes = b"", status: str = "200", headers: dict[str, str] | None = None, cookies: list[dict[str, Any]] | None = None
) -> Datum:
    return Datum("http", HttpResponse(status=status, headers=headers or {}, cookies=cookies or [], body=body))


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("plain text é", "plain text é"),
        ('{"a": 1}', '{\n  "a": 1\n}'),
        ('{"a":{"b":[1,"x",{}],"c":[]}}', '{\n  "a": {\n    "b": [\n      1,\n      "x",\n      {}\n    ],\n    "c": []\n  }\n}'),
        ('{"a":1,"b":2,"a":3}', '{\n  "a": 3,\n  "b": 2\n}'),
        ('{"n":12345678901234567890123}', '{\n  "n": 12345678901234567890123\n}'),
        ('{"d":"2020-01-02T03:04:05.123Z"}', '{\n  "d": "2020-01-02T03:04:05.123Z"\n}'),
        ("[1,2]", "[\n  1,\n  2\n]"),
        ("[]", "[]"),
        ('"quoted"', "quoted"),
        ('"caf\\u00e9"', "café"),
        ("true", "True"),
        ("42", "42"),
        ("1.50", "1.5"),
        ("null", ""),
        ("", ""),
        ("  ", ""),
        ("{not json", "{not json"),
        ("{not: json, at all}", "{not: json, at all}"),
        ("5 apples", "5 apples"),
        ("<b>x</b>", "<b>x</b>"),
        ('{"status": 404}', '{\n  "status": 404\n}'),
    ],
)
def test_a_string_is_read_as_json_if_it_can_be(text: str, body: str) -> None:
    reply = returned(string(text))
    assert (reply.status, reply.headers, reply.body.decode()) == (200, PLAIN, body)


@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        ('{"body": "hi"}', 200, "hi"),
        ('{"Body": "hi", "StatusCode": 201}', 201, "hi"),
        ('{"body": "hi", "status": "404"}', 404, "hi"),
        ('{"body": "hi", "status": "not a number"}', 200, "hi"),
        ('{"body": "hi", "status": 404, "statusCode": 201}', 201, "hi"),
        ('{"body": {"a": [1, 2]}}', 200, '{"a":[1,2]}'),
        ('{"body": true}', 200, "True"),
        ('{"body": 1.0}', 200, "1"),
        ('{"body": null, "status": 202}', 202, ""),
    ],
)
def test_an_object_with_a_body_is_a_response(text: str, status: int, body: str) -> None:
    reply = returned(string(text))
    assert (reply.status, reply.body.decode()) == (status, body)


def test_an_object_with_a_body_may_set_headers() -> None:
    reply = returned(string('{"body": "<b>", "headers": {"Content-Type": "text/html", "X-N": 5, "Content-Length": "1"}}'))
    assert reply.headers == [(b"content-type", b"text/html"), (b"x-n", b"5")]


def test_a_long_text_that_is_not_json_is_not_searched_for_it() -> None:
    text = "{" + "'x' " * 1_000_000
    assert returned(string(text)).body == text.encode()


def test_a_response_object_goes_out_as_it_is() -> None:
    reply = returned(response(b"\x00\xff", "418", {"content-type": "a/b", "X-One": "1", "X-Empty": ""}))
    assert reply == Reply(418, [(b"content-type", b"a/b"), (b"x-one", b"1"), (b"x-empty", b"")], b"\x00\xff")


@pytest.mark.parametrize("status", ["200", "299", "599", "700", "999"])
def test_any_status_a_client_can_read_goes_out(status: str) -> None:
    assert returned(response(status=status)).status == int(status)


@pytest.mark.parametrize("status", ["99", "101", "199", "1000", "-1", "", "abc"])
def test_other_statuses_are_unusable(status: str) -> None:
    with pytest.raises(UnusableResponse, match=f"status code is {status}"):
        returned(response(status=status))


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"X-U": "é"}, "header X-U holds 'é'"),
        ({"X-U": "a\r\nInjected: 1"}, "header X-U holds"),
        ({"X U": "a"}, "header name 'X U'"),
        ({"": "a"}, "header name ''"),
    ],
)
def test_headers_that_cannot_be_sent_are_unusable(headers: dict[str, str], reason: str) -> None:
    with pytest.raises(UnusableResponse, match=reason):
        returned(response(headers=headers))


def test_a_content_length_that_does_not_fit_closes_the_connection() -> None:
    with pytest.raises(UnusableResponse, match="Content-Length is 3, its body has 5 bytes") as caught:
        returned(response(b"12345", headers={"Content-Length": "3"}))
    assert caught.value.closes


def test_a_content_length_that_fits_is_left_to_the_server() -> None:
    assert returned(response(b"12345", headers={"content-length": "5"})).headers == []


def test_transfer_encoding_is_dropped() -> None:
    broken = response(b"12345", headers={"Transfer-Encoding": "chunked", "X-A": "1"})
    assert responses.breaks_framing(broken)
    assert returned(broken).headers == [(b"x-a", b"1")]


@pytest.mark.parametrize(
    ("cookie", "text"),
    [
        ({"name": "a", "value": "1", "path": "/", "httponly": True}, "a=1; domain=; path=/; httponly"),
        ({"name": "a", "value": "1", "path": "/", "httponly": True, "samesite": "Lax"}, "a=1; domain=; path=/; samesite=lax; httponly"),
        (
            {
                "name": "foo3",
                "value": "42",
                "expires": "Thu, 12 Jan 2017 13:55:08 GMT",
                "max-age": "10000000",
                "domain": "example.com",
                "path": "/",
                "secure": True,
                "httponly": True,
            },
            "foo3=42; expires=Thu, 12 Jan 2017 13:55:08 GMT; max-age=10000000; domain=example.com; path=/; secure; httponly",
        ),
        ({"name": "foo", "value": "bar"}, "foo=bar; domain=; path="),
        ({"name": "a", "value": "x y/é"}, "a=x%20y%2F%C3%A9; domain=; path="),
    ],
)
def test_cookies_are_written_in_the_functions_hosts_form(cookie: dict[str, Any], text: str) -> None:
    assert returned(response(cookies=[cookie])).headers == [(b"set-cookie", text.encode())]


def test_an_output_parameter_wins_over_what_another_binding_returns() -> None:
    result = InvocationResult(return_value=string("for the queue"), outputs={"res": response(b"http", "201")})
    assert responses.reply_to(result, "res").status == 201


def test_without_a_response_another_bindings_return_value_is_the_body() -> None:
    result = InvocationResult(return_value=string('{"a":1}'))
    assert responses.reply_to(result, "res").body == b'{"a":1}'
    assert responses.reply_to(result, None).body == b'{"a":1}'


@pytest.mark.parametrize("output", ["res", None, "$return"])
def test_nothing_at_all_is_no_content(output: str | None) -> None:
    assert responses.reply_to(InvocationResult(), output) == Reply(204)


def test_a_text_set_on_an_output_parameter_is_read_as_a_returned_one_is() -> None:
    assert responses.reply_to(InvocationResult(outputs={"res": string('{"a":1}')}), "res").body == b'{\n  "a": 1\n}'


def test_the_response_binding_is_found_by_its_type() -> None:
    assert responses.http_output(http_function("a")) == "$return"
    out = {"direction": "out", "type": "http", "name": "res"}
    trigger = {"direction": "in", "type": "httpTrigger", "name": "req"}
    assert responses.http_output(function("a", trigger, out)) == "res"
    assert responses.http_output(function("a", trigger)) is None
