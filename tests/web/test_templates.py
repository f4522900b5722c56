"""Route templates: what they match, and which are refused."""

from __future__ import annotations

import pytest

from linarite.web.templates import Template, request_path


def match(template: str, path: str) -> dict[str, str] | None:
    return Template(template).match(request_path(path))


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("api/a", "/api/a", {}),
        ("api/a", "/API/A/", {}),
        ("api/a", "/api/b", None),
        ("api/a", "/api", None),
        ("api/a", "/api/a/b", None),
        ("api/a/", "/api/a", {}),
        ("/a", "/a", {}),
        ("api/{id}", "/api/x", {"id": "x"}),
        ("api/{id}", "/api/", None),
        ("api/{id}/y", "/api/x/Y", {"id": "x"}),
        ("api/{id:int}", "/api/007", {"id": "007"}),
        ("api/{id:int}", "/api/x", None),
        ("api/{id?}", "/api", {}),
        ("api/{id?}", "/api/", {}),
        ("api/{id:int?}", "/api", {}),
        ("api/{id:int?}", "/api/x", None),
        ("api/{id=5}", "/api", {"id": "5"}),
        ("api/{id=5}", "/api/6", {"id": "6"}),
        ("api/{id:int=5}", "/api", {"id": "5"}),
        ("api/{id:int=x}", "/api", None),
        ("api/{*rest}", "/api", {}),
        ("api/{*rest}", "/api/", {}),
        ("api/{*rest}", "/api/a/b/", {"rest": "a/b/"}),
        ("api/{*rest}", "/api/a//b", {"rest": "a//b"}),
        ("api/{*rest}", "/api//b", None),
        ("api/{**rest}", "/api/a/b", {"rest": "a/b"}),
        ("api/{*rest=all}", "/api", {"rest": "all"}),
        ("api/{*rest:int}", "/api", None),
        ("{*rest}", "/", {}),
        ("{*rest}", "/a/b", {"rest": "a/b"}),
        ("api/a", "//api/a", None),
        ("api/{a}/{b}", "/api//b", None),
        ("p/{category:alpha?}/{id:int?}/{extra?}", "/p/electronics/123", {"category": "electronics", "id": "123"}),
        ("p/{category:alpha?}/{id:int?}/{extra?}", "/p/electronics/1x3", None),
        ("p/{category:alpha?}/{id:int?}/{extra?}", "/p/123", None),
        ("p/{category:alpha?}/{id:int?}/{extra?}", "/p", {}),
        ("{a}-{b}.{ext?}", "/x-y.txt", {"a": "x", "b": "y", "ext": "txt"}),
        ("{a}-{b}.{ext?}", "/x-y", {"a": "x", "b": "y"}),
        ("{a}-{b}.{ext?}", "/x-y-z.txt", {"a": "x-y", "b": "z", "ext": "txt"}),
        ("{a}-{b}.{ext?}", "/x-y.", None),
        ("{a}-{b}", "/-y", None),
        ("{a}-{b}", "/x-", None),
        ("{a}-{b}", "/xy", None),
        ("v{n}", "/V12", {"n": "12"}),
        ("v{n}", "/xv12", None),
        ("v{n}", "/v", None),
        ("v{n}", "/vav1", None),  # the literal is looked for from the right, without a second try
        ("{name}.txt", "/a.b.TXT", {"name": "a.b"}),
        ("{name}.txt", "/a.txt.gz", None),
        ("{n:regex(^\\d{{2}}$)}", "/12", {"n": "12"}),
        ("{n:regex(^\\d{{2}}$)}", "/123", None),
        ("{n:regex(a:b(c)d)}", "/a:bcd", {"n": "a:bcd"}),
        ("{n:min(1):max(3)}", "/2", {"n": "2"}),
        ("{n:min(1):max(3)}", "/4", None),
        ("{n:regex(^a/b$)?}", "/", {}),
        ("a{{b}}", "/a{b}", {}),
        ("~/a", "/a", {}),
    ],
)
def test_a_template_matches_as_aspnet_has_it(template: str, path: str, values: dict[str, str] | None) -> None:
    assert match(template, path) == values


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("api//x", "consecutively"),
        ("api//{*route}", "consecutively"),
        ("{a", "no closing brace"),
        ("a}", "neither opened nor doubled"),
        ("{}", "not a parameter"),
        ("{a/b}", "not a parameter"),
        ("{a}{b}", "need a '/' or a literal between them"),
        ("{a}/{A}", "more than once"),
        ("{*a}/b", "can only be the last segment"),
        ("x{*a}", "cannot contain a catch-all"),
        ("{*a?}", "cannot be marked optional"),
        ("{a?}-{b}", "must end its segment"),
        ("{a}-{b?}", "only a '.'"),
        ("{a=1?}", "cannot have a default"),
        ("{a:nosuch}", "is not a route constraint"),
        ("a?b", "cannot contain '?'"),
        ("~a", "not with '~'"),
    ],
)
def test_a_template_aspnet_refuses_is_refused(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("?", r"\?").replace(".", r"\.")):
        Template(template)


def test_matching_takes_no_longer_than_the_path_is_long() -> None:
    # A regular expression with four greedy groups would try every split of these.
    assert match("{a}-{b}-{c}-{d}.x", "/" + "-" * 8000) is None
