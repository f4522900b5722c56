"""The admin API."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from linarite.web.app import Web
from linarite.web.site import Drain
from tests.web.calls import StandingHost, call, site, web
from tests.web.functions import function, http_function

HELLO = http_function("Hello", "hello/{name}", ["GET"])
TIMER = function("tick", {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": "* * * * *"})
JSON = "application/json; charset=utf-8"


@pytest.fixture
def app(tmp_path: Path) -> Web:
    return web(site(HELLO, TIMER, function_errors={"tick": ("bad schedule",), "gone": ("no trigger",)}), tmp_path)


def host(app: Web) -> StandingHost:
    assert isinstance(app.host, StandingHost)
    return app.host


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_ping(app: Web, method: str) -> None:
    answered = await call(app, method, "/admin/host/ping")
    assert (answered.status, answered.header("cache-control"), answered.header("pragma")) == (200, "no-store,no-cache", "no-cache")
    assert (await call(app, "HEAD", "/admin/host/ping")).status == 404


async def test_ping_with_a_health_check(app: Web) -> None:
    assert (await call(app, "POST", "/admin/host/ping?checkHealth=1")).status == 200
    app.show(site(state="Error"))
    assert (await call(app, "GET", "/admin/host/ping")).status == 200
    assert (await call(app, "GET", "/admin/host/ping?checkHealth=1")).status == 500


async def test_status_leaves_errors_out_when_there_are_none(app: Web) -> None:
    app.clock.advance(5)  # type: ignore[attr-defined]  # a manual clock
    answered = await call(app, "GET", "/admin/host/status")
    assert answered.header("content-type") == JSON
    assert list(answered.json) == [
        *("id", "state", "version", "versionDetails", "platformVersion", "instanceId", "computerName"),
        *("processUptime", "functionAppContentEditingState"),
    ]
    assert (answered.json["id"], answered.json["state"], answered.json["processUptime"]) == ("machine-1", "Running", 5000)


async def test_status_with_errors(app: Web) -> None:
    app.show(site(errors=("broken",)))
    value = (await call(app, "GET", "/admin/host/status")).json
    assert (value["state"], value["errors"]) == ("Running", ["broken"])
    assert (await call(app, "POST", "/admin/host/status")).status == 404


@pytest.mark.parametrize("errors", [(), ("a < b",)])
async def test_status_as_xml(app: Web, errors: tuple[str, ...]) -> None:
    app.show(site(errors=errors))
    answered = await call(app, "GET", "/admin/host/status", accept="application/xml")
    assert answered.header("content-type") == "application/xml; charset=utf-8"
    root = ElementTree.fromstring(answered.body)
    assert [child.tag.partition("}")[2] for child in root][:4] == [
        "ComputerName",
        "Errors",
        "ExtensionBundle",
        "FunctionAppContentEditingState",
    ]
    assert tuple(text.text for text in root[1]) == errors


async def test_functions_are_listed_by_name(app: Web) -> None:
    answered = await call(app, "GET", "/admin/functions")
    assert [entry["name"] for entry in answered.json] == ["Hello", "tick"]
    assert [entry["invoke_url_template"] for entry in answered.json] == ["http://localhost:7071/api/hello/{name}", None]


async def test_a_function_is_found_in_any_case(app: Web) -> None:
    value = (await call(app, "GET", "/admin/functions/HELLO")).json
    assert value["href"] == "http://localhost:7071/admin/functions/Hello"
    assert value["config"] == {
        "name": "Hello",
        "entryPoint": "Hello",
        "scriptFile": "function_app.py",
        "language": "python",
        "functionDirectory": "/app",
        "bindings": [dict(binding.raw) for binding in HELLO.bindings],
    }
    assert (await call(app, "GET", "/admin/functions/nosuch")).status == 404


async def test_a_function_json_is_shown_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "Old").mkdir()
    (tmp_path / "Old" / "function.json").write_text('{"disabled": true, /* so */ "bindings": []}', "utf-8")
    import msgspec

    old = msgspec.structs.replace(http_function("Old"), is_decorated=False, directory=str(tmp_path / "Old"), script_file="__init__.py")
    value = (await call(web(site(old), tmp_path), "GET", "/admin/functions/old")).json
    assert value["config"] == {"disabled": True, "bindings": []}
    assert value["config_href"].endswith("/Old/function.json")


@pytest.mark.parametrize(
    ("name", "status", "body"), [("hello", 200, {}), ("tick", 200, {"errors": ["bad schedule"]}), ("nosuch", 404, None)]
)
async def test_a_functions_errors(app: Web, name: str, status: int, body: Any) -> None:
    answered = await call(app, "GET", f"/admin/functions/{name}/status")
    assert answered.status == status
    assert body is None or answered.json == body


async def test_the_errors_of_a_function_that_could_not_be_read(app: Web) -> None:
    assert (await call(app, "GET", "/admin/functions/gone/status")).json == {"errors": ["no trigger"]}
    assert (await call(app, "GET", "/admin/functions/gone")).status == 404


async def test_disabled_functions_are_marked(tmp_path: Path) -> None:
    app = web(site(HELLO, disabled=frozenset({"Hello"})), tmp_path)
    assert (await call(app, "GET", "/admin/functions/hello")).json["isDisabled"] is True


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"input": "x"}', "x"),
        (b'{"input": 5}', "5"),
        (b'{"input": true}', "True"),
        (b'{"input": null}', None),
        (b"{}", None),
        (b'{"a": 1}', None),
    ],
)
async def test_any_function_can_be_fired_by_hand(app: Web, body: bytes, value: str | None) -> None:
    answered = await call(app, "POST", "/admin/functions/tick", body=body, content_type="application/json")
    assert (answered.status, answered.body, host(app).fired) == (202, b"", [("tick", value)])


@pytest.mark.parametrize(
    ("name", "body", "content_type", "status"),
    [
        ("nosuch", b"{}", "application/json", 404),
        ("tick", b"{}", "text/plain", 415),
        ("tick", b"", "application/json", 400),
        ("tick", b"[]", "application/json", 400),
        ("tick", b"nonsense", "application/json", 400),
        ("tick", b'{"input": {"a": 1}}', "application/json", 400),
    ],
)
async def test_a_function_is_not_fired_with_a_bad_body(app: Web, name: str, body: bytes, content_type: str, status: int) -> None:
    answered = await call(app, "POST", f"/admin/functions/{name}", body=body, content_type=content_type)
    assert (answered.status, host(app).fired) == (status, [])


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_functions_are_not_changed_over_http(app: Web, method: str) -> None:
    answered = await call(app, method, "/admin/functions/hello", body=b"{}", content_type="application/json")
    assert answered.status == 405
    assert b"does not change an app's files" in answered.body


async def test_drain_and_resume(app: Web) -> None:
    assert (await call(app, "POST", "/admin/host/drain")).status == 202
    assert (await call(app, "GET", "/admin/host/drain/status")).json == {
        "state": "Completed",
        "outstandingInvocations": 0,
        "outstandingRetries": 0,
    }
    assert (await call(app, "POST", "/admin/host/resume")).json == {"state": "Running"}
    assert host(app).drain_status() == Drain("Disabled", 0)


async def test_resume_in_the_wrong_state(app: Web) -> None:
    app.show(site(state="Error"))
    assert (await call(app, "POST", "/admin/host/resume")).status == 409


@pytest.mark.parametrize(
    ("body", "status", "asked"), [(b'"offline"', 202, ["offline"]), (b'"Running"', 200, []), (b'"x"', 400, []), (b"{}", 400, [])]
)
async def test_the_app_can_be_taken_offline(app: Web, body: bytes, status: int, asked: list[str]) -> None:
    answered = await call(app, "PUT", "/admin/host/state", body=body, content_type="application/json")
    assert (answered.status, host(app).asked) == (status, asked)


async def test_restart(app: Web) -> None:
    answered = await call(app, "POST", "/admin/host/restart")
    assert (answered.status, answered.json["scriptPath"], host(app).asked) == (200, "/app", ["restart"])


async def test_log_entries_are_written_under_their_category(app: Web, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'[{"level": "Warning", "functionName": "F", "message": "one 100%"}, {"source": "Mine", "level": 1, "message": "two"}, {}]'
    assert (await call(app, "POST", "/admin/host/log", body=body, content_type="application/json")).status == 200
    written = [(record.name, record.levelno, record.getMessage()) for record in caplog.records if record.name != "asyncio"]
    assert written == [
        ("Function.F", logging.WARNING, "one 100%"),
        ("Mine", logging.DEBUG, "two"),
        ("Host.Controllers.Host", logging.INFO, ""),
    ]


@pytest.mark.parametrize("body", [b"{}", b"[1]", b'"x"'])
async def test_anything_but_log_entries_is_refused(app: Web, body: bytes) -> None:
    answered = await call(app, "POST", "/admin/host/log", body=body, content_type="application/json")
    assert (answered.status, answered.body) == (400, b"An array of log entry objects is expected.")


async def test_processes(app: Web) -> None:
    value = (await call(app, "GET", "/admin/host/processes")).json
    assert [process["processId"] for process in value["processes"]] == [os.getpid(), 4711]


async def test_warmup_runs_the_warm_up_function(tmp_path: Path) -> None:
    warm = function("warm", {"direction": "IN", "type": "warmupTrigger", "name": "ctx"})
    app = web(site(warm), tmp_path)
    assert (await call(app, "GET", "/admin/warmup")).status == 200
    assert host(app).fired == [("warm", None)]


@pytest.mark.parametrize(
    ("method", "target", "status", "body"),
    [
        ("POST", "/admin/host/synctriggers", 500, b'{"status":"Invalid environment for SyncTriggers operation."}'),
        ("POST", "/admin/host/scale/status", 400, b"Runtime scale monitoring is not enabled."),
        ("GET", "/admin/host/scale/status", 404, b""),
        ("GET", "/admin/vfs/site/wwwroot/host.json", 403, b""),
        ("GET", "/admin/host/triggers", 404, b""),
        ("GET", "/admin/extensions/nosuch", 404, b""),
    ],
)
async def test_the_odd_ends(app: Web, method: str, target: str, status: int, body: bytes) -> None:
    answered = await call(app, method, target)
    assert (answered.status, answered.body) == (status, body)


async def keys(app: Web, method: str, path: str, body: bytes = b"") -> Any:
    headers = {"content_type": "application/json"} if body else {}
    return await call(app, method, f"/admin/{path}", headers, body=body)


@pytest.mark.parametrize("place", ["host/keys", "host/functionkeys", "host/systemkeys", "functions/hello/keys"])
async def test_the_life_of_a_key(app: Web, place: str) -> None:
    href = f"http://localhost:7071/admin/{place}/mine"
    links = [{"rel": "self", "href": href}]
    put = await keys(app, "PUT", f"{place}/mine", b'{"name": "mine", "value": "v1"}')
    assert (put.status, put.header("location"), put.json) == (201, href, {"name": "mine", "value": "v1", "links": links})
    made = await keys(app, "POST", f"{place}/MINE")
    assert (made.status, made.header("location")) == (200, None)
    assert len(made.json["value"]) == 56
    assert (await keys(app, "GET", f"{place}/mine")).json == {"name": "mine", "value": made.json["value"], "links": links}
    listed = (await keys(app, "GET", place)).json
    assert {"name": "mine", "value": made.json["value"]} in listed["keys"]
    assert [(await keys(app, "DELETE", f"{place}/mine")).status for _ in range(2)] == [204, 404]
    assert (await keys(app, "GET", f"{place}/mine")).status == 404


async def test_the_master_key_is_a_system_key_that_stays(app: Web) -> None:
    assert (await keys(app, "GET", "host/systemkeys")).json["keys"] == []
    assert (await keys(app, "GET", "host/systemkeys/_master")).json["value"] == app.doors.keys.master
    refused = await keys(app, "DELETE", "host/systemkeys/_master")
    assert (refused.status, refused.body) == (400, b"Cannot delete System Key.")


@pytest.mark.parametrize("body", [b'{"name": "mine"}', b'{"name": "mine", "value": ""}', b"[]"])
async def test_a_key_needs_a_value(app: Web, body: bytes) -> None:
    answered = await keys(app, "PUT", "host/keys/mine", body)
    assert (answered.status, answered.body) == (400, b"Invalid key value")


async def test_keys_of_nothing(app: Web) -> None:
    assert (await keys(app, "GET", "functions/nosuch/keys")).status == 404
    assert (await keys(app, "GET", "host/nosuch")).status == 404
