"""Invocations recorded between the real Functions host and the real Python worker, put to ours: same answer, same failure.

`data/worker` holds them by app, from the recordings' gRPC conversations: for each function what was sent, without identities, and what
came back. Requests of functions that end the process are not in it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from linarite.errors import UserCodeFailed
from linarite.invocation import NONE, Datum, HttpRequest, HttpResponse, Invocation, InvocationResult, RetryAttempt
from linarite.metadata import Function
from linarite.workers.in_process import InProcessWorker
from linarite.workers.protocol import IndexedApp, WorkerChannel
from tests.workers.calls import Lines, function

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA = Path(__file__).parent / "data"
APPS = ("main", "qdef", "trig", "v1")

DIFFERENCES = {
    "ValueError: Detected newline in header value.  This is a potential security problem": (
        "ValueError: Header values must not contain newline characters.",
        "the words of the werkzeug that came with the recorded azure-functions",
    ),
}
"""Recorded failures that are ours in other words, with those and the reason."""


@cache
def recorded(app: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "worker" / f"{app}.jsonl").read_text("utf-8").splitlines()]


CASES = [(app, index) for app in APPS for index, line in enumerate(recorded(app)) if "metadata" not in line]


class Worker:
    def __init__(self, channel: WorkerChannel, app: IndexedApp) -> None:
        self.channel = channel
        self.app = app

    def function(self, name: str) -> Function:
        return function(self.app, name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Worker]:
    seen = tmp_path_factory.mktemp("seen") / "observed.jsonl"
    channel = InProcessWorker(DATA / "http" / "apps" / request.param, {"REF_OBS": str(seen)}, Lines())
    yield Worker(channel, await channel.start())
    await channel.stop(1)


def datum(data: Any) -> Datum:
    """A value of the wire as a datum. Protobuf's JSON leaves out what is empty."""
    [(kind, value)] = data.items() or [("none", {})]
    match kind:
        case "http":
            body = base64.b64decode(value.get("body", {}).get("bytes", ""))
            maps = {name: value.get(name, {}) for name in ("headers", "query", "params")}
            return Datum("http", HttpRequest(method=value["method"], url=value["url"], body=body, **maps))
        case "bytes":
            return Datum("bytes", base64.b64decode(value))
        case "int":
            return Datum("int", int(value))
        case "none":
            return NONE
        case "json" | "string" | "double":
            return Datum(kind, value)
        case _:
            raise AssertionError(f"no recording has a {kind}")


def invocation(worker: Worker, line: Mapping[str, Any], index: int) -> Invocation:
    called = worker.function(line["function"])
    retry = line.get("retry")
    return Invocation(
        id=f"00000000-0000-0000-0000-{index:012}",
        function_id=called.id,
        function_name=called.name,
        inputs={item["name"]: datum(item.get("data", {})) for item in line["inputs"]},
        trigger_metadata={name: datum(value) for name, value in line["trigger_metadata"].items()},
        retry=None if retry is None else RetryAttempt(retry_count=retry.get("retry_count", 0), max_retry_count=retry["max_retry_count"]),
    )


def wire(value: Datum | None) -> Any:
    """A datum as the recordings write it."""
    if value is None:
        return None
    match value.kind:
        case "none":
            return {}
        case "http":
            return {"http": wire_response(value.value)}
        case "bytes":
            return {"bytes": base64.b64encode(value.value).decode()}
        case "int":
            return {"int": str(value.value)}
        case kind:
            return {kind: value.value}


def wire_response(response: HttpResponse) -> dict[str, Any]:
    found: dict[str, Any] = {"status_code": response.status, "body": {"bytes": base64.b64encode(response.body).decode()}}
    if response.headers:
        found["headers"] = response.headers
    if response.cookies:
        found["cookies"] = [wire_cookie(cookie) for cookie in response.cookies]
    return found


def wire_cookie(cookie: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": cookie["name"],
        "value": cookie["value"],
        "domain": {"value": cookie.get("domain", "")},
        "path": {"value": cookie.get("path", "")},
        "secure": {"value": bool(cookie.get("secure"))},
        "http_only": {"value": bool(cookie.get("httponly"))},
    }
    if expires := cookie.get("expires"):
        found["expires"] = {"value": f"{parsedate_to_datetime(expires).astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"}
    if age := cookie.get("max-age"):
        found["max_age"] = {"value": float(age)}
    if site := cookie.get("samesite"):
        found["same_site"] = site
    return found


def filled_in(answer: Mapping[str, Any], one: Invocation) -> Any:
    """A recorded answer with what differs from call to call put in."""
    body = answer.get("return_value", {}).get("http", {}).get("body", {})
    if "bytes" in body:
        text = base64.b64decode(body["bytes"])
        text = text.replace(b"<invocation id>", one.id.encode()).replace(b"<root>", str(DATA / "http").encode())
        body["bytes"] = base64.b64encode(text).decode()
    return answer


async def outcome(worker: Worker, one: Invocation) -> dict[str, Any]:
    try:
        result = await worker.channel.invoke(one)
    except UserCodeFailed as error:
        return {"answer": {}, "failure": str(error)}
    return {"answer": answer(result), "failure": None}


def answer(result: InvocationResult) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if result.return_value is not None:
        found["return_value"] = wire(result.return_value)
    if result.outputs:
        found["output_data"] = [{"name": name, "data": wire(value)} for name, value in result.outputs.items()]
    return found


@pytest.mark.parametrize(
    ("worker", "index"), CASES, indirect=["worker"], ids=[f"{app}-{index}-{recorded(app)[index]['function']}" for app, index in CASES]
)
async def test_the_answer_is_the_recorded_one(worker: Worker, index: int, request: pytest.FixtureRequest) -> None:
    app = request.node.callspec.params["worker"]
    line = recorded(app)[index]
    one = invocation(worker, line, index)
    failure = line.get("failure")
    if failure in DIFFERENCES:
        failure, _ = DIFFERENCES[failure]
    assert await outcome(worker, one) == {"answer": filled_in(line["answer"], one), "failure": failure}


@pytest.mark.parametrize("worker", ["main", "qdef", "retry", "trig"], indirect=True)
async def test_what_the_app_declares_is_what_was_recorded(worker: Worker, request: pytest.FixtureRequest) -> None:
    app = request.node.callspec.params["worker"]
    declared = [line["metadata"] for line in recorded(app) if "metadata" in line]
    assert [
        (one.name, one.id, one.script_file, one.entry_point, [binding.raw for binding in one.bindings]) for one in worker.app.functions
    ] == [
        (one["name"], one["function_id"], one["script_file"], one["entry_point"], [json.loads(raw) for raw in one["raw_bindings"]])
        for one in declared
    ]
