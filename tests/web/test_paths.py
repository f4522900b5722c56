"""Paths: what routing sees, what `req.url` shows."""

from __future__ import annotations

import pytest

from linarite.web.paths import InvalidPath, canonical, unescape


@pytest.mark.parametrize(
    ("raw", "decoded", "shown"),
    [
        (b"/api/echo", "/api/echo", "/api/echo"),
        (b"/api/a%20b", "/api/a b", "/api/a%20b"),
        (b"/api/a+b", "/api/a+b", "/api/a+b"),
        (b"/api/%C3%A9", "/api/é", "/api/%C3%A9"),
        (b"/api/%c3%a9", "/api/é", "/api/%C3%A9"),
        (b"/api/%FF", "/api/%FF", "/api/%FF"),
        (b"/api/%C3%A9%FF%2F", "/api/é%FF%2F", "/api/%C3%A9%FF%2F"),
        (b"/api/a%2Fb", "/api/a%2Fb", "/api/a%2Fb"),
        (b"/api/a%2fb", "/api/a%2fb", "/api/a%2fb"),
        (b"/api/a%5Cb", "/api/a\\b", "/api/a%5Cb"),
        (b"/api/a%25b", "/api/a%b", "/api/a%25b"),
        (b"/api/a%zzb", "/api/a%zzb", "/api/a%25zzb"),
        (b"/api/%7Bx%7D", "/api/{x}", "/api/%7Bx%7D"),
        (b"/api/a%3Fb%23c", "/api/a?b#c", "/api/a%3Fb%23c"),
        (b"/%61pi/%65cho", "/api/echo", "/api/echo"),
        (b"/api/a;b=c&d:e", "/api/a;b=c&d:e", "/api/a;b=c&d:e"),
        (b"/api/x/../echo", "/api/echo", "/api/echo"),
        (b"/api/r/.", "/api/r/", "/api/r/"),
        (b"/api/r/..", "/api/", "/api/"),
        (b"/api/r/%2e%2e", "/api/", "/api/"),
        (b"/../../x", "/x", "/x"),
        (b"/api/.hidden/..x", "/api/.hidden/..x", "/api/.hidden/..x"),
        (b"/api//b/", "/api//b/", "/api//b/"),
        (b"/", "/", "/"),
    ],
)
def test_a_path_is_decoded_for_routing_and_encoded_for_the_url(raw: bytes, decoded: str, shown: str) -> None:
    assert canonical(raw) == (decoded, shown)


@pytest.mark.parametrize("raw", [b"/a%00b", b"/a\xc3\xa9", b"*", b""])
def test_what_is_no_path_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidPath):
        canonical(raw)


def test_in_a_query_every_utf8_escape_is_undone() -> None:
    assert unescape("a%2Fb%00%FF%zz") == "a/b\0%FF%zz"
