"""What the Functions host answered to recorded requests, and what we answer to the same bytes.

Every recorded exchange is sent; an answer that differs must be in `DIFFERENCES`, which says why, and what ours is instead.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.golden.http_exchanges import DATA, Answer, Exchange, KeyNames, Pairs, ask, exchanges, recorded, request_bytes
from tests.golden.http_world import World, app_folder, served

TEXT = (("content-type", "text/plain; charset=utf-8"),)
JSON = (("content-type", "application/json; charset=utf-8"),)
CLOSE = (("connection", "close"),)


@dataclass(frozen=True)
class Difference:
    """Why an answer of ours is another one, and what is in it instead; what is not given is as recorded."""

    why: str
    status: int | None = None
    headers: Pairs | None = None
    body: str | None = None
    rewrite: tuple[str, str] | None = None
    """What stands in the recorded body, and what in ours in its place."""
    holds: tuple[str, ...] = ()
    """For a body of ours that is not given whole: what is in it."""

    def accepts(self, theirs: Answer, ours: Answer) -> bool:
        given = {name: value for name in ("status", "headers", "body") if (value := getattr(self, name)) is not None}
        expected = dataclasses.replace(theirs, **given)
        if self.rewrite is not None:
            expected = dataclasses.replace(expected, body=expected.body.replace(*self.rewrite))
        if self.holds:
            expected = dataclasses.replace(expected, body=ours.body)
        return ours == expected and ours != theirs and all(text in ours.body for text in self.holds)


BY_LIBRARY = "Ours 3.5: what the server library does is fine while it refuses what the Functions host refuses"
LIBRARY_400 = Difference(BY_LIBRARY, 400, (*CLOSE, *TEXT), "Invalid HTTP request received.")
HOMEPAGE = Difference(
    "Ours 3.7: our own small page with the two texts",
    holds=("<title>Your Azure Function App is up and running.</title>", "Your Functions 4.0 app is up and running"),
)
LEFT_OVER = "an empty 500; the recorded Content-Type is left over from what .NET had set before it failed at another header"
IN_HTTP = "Ours 4.1: links with the scheme of the request, in the list too"


ERROR_PAGE = Difference(
    "Ours 1.9: `/` stays reachable and shows the error, with 503",
    headers=(("content-type", "text/html; charset=utf-8"),),
    holds=("Function host is not running.", "<pre>"),
)
EXACT = Difference("Ours 3.4: keys are compared exactly", 401, (), "")
OWN_WORDS = "the same state and sentence; type names of .NET are not ours to have, places are"
SUPPLIED = "Ours 1.9: a missing FUNCTIONS_WORKER_RUNTIME is supplied"
TOLD = "Ours 1.5: Python errors of function.json apps are in `errors` as well"
V1_LISTING = (
    '11727 bytes, [{"name":"dash-name","script_root_path_href":"http://localhost:24480/admin/vfs<root>/apps/v1/dash-name/",'
    '"script_href":"http://localhost:244'
)
OWN_PYTHON = "the interpreter is the app's own or the one of --python; a setting of the .NET host has no say"


def unusable(why: str) -> Difference:
    return Difference(why, 500, (), "")


def listing(length: int, name: str, app: str) -> Difference:
    """The recorded length less one for each `https`."""
    link = f"http://localhost:24080/admin/vfs<root>/apps/{app}/function_app.py"
    return Difference(
        IN_HTTP, body=f'{length} bytes, [{{"name":"{name}","script_root_path_href":null,"script_href":"{link}","config_href":null'[:153]
    )


DIFFERENCES: Mapping[str, Mapping[str, Difference]] = {
    "returns": {
        "HttpResponse:99": unusable("Ours 3.6: statuses from 200 to 999 only"),
        "HttpResponse:101": unusable("Ours 3.6: statuses from 200 to 999 only"),
        "HttpResponse:1000": unusable("Ours 3.6: statuses from 200 to 999 only"),
        "HttpResponse:hdrte": Difference("Ours 3.6: an own Transfer-Encoding is dropped and the body framed", body="12345"),
        "HttpResponse:hdruni": Difference(LEFT_OVER, headers=()),
        "HttpResponse:hdrbadname": Difference(LEFT_OVER, headers=()),
    },
    "routes": {
        "raw utf8 in path": LIBRARY_400,
        "getonly FOO": LIBRARY_400,
        "anymethod FOO": LIBRARY_400,
        "getonly get": LIBRARY_400,
        "anymethod get": LIBRARY_400,
    },
    "precedence": {
        "FOO /api/badmethod": LIBRARY_400,
        "GET /admin/functions": listing(11414, "admfoo", "prec"),
    },
    "route-leading-slash": {
        "FOO /api/badmethod": LIBRARY_400,
        "GET /admin/functions": listing(12164, "admfoo", "prec"),
    },
    "requests": {
        "query only question": Difference(
            "the server library drops an empty query",
            body='{"body_len": 0, "body_repr": "b\'\'", "headers": {"host": "localhost:24080"}, "method": "GET", "params": {}, '
            '"route_params": {}, "url": "http://localhost:24080/api/echo"}',
        ),
        "traceparent": Difference(
            "nothing listened for activities where it was recorded, as its README says; a deployed host fills the trace context",
            holds=('"tp": "00-0af7651916cd43dd8448eb211c80319c-', '-01", "ts": "a=b"'),
        ),
        "garbage": LIBRARY_400,
        "lf only": LIBRARY_400,
        "space in header name": LIBRARY_400,
        "duplicate content-length": LIBRARY_400,
        "CL and TE": LIBRARY_400,
        "body chunked bad": LIBRARY_400,
        "body chunked trailers": Difference(
            "the server library hands trailers on with the headers",
            holds=('"trailer": "X-T", "transfer-encoding": "chunked", "x-t": "1"', '"body_len": 0'),
        ),
    },
    "root": dict.fromkeys(("GET /", "POST /", "OPTIONS /"), HOMEPAGE),
    "admin": {
        "GET /admin/functions": listing(34511, "anymethod", "main"),
        'PUT /admin/functions/getonly {"x":1}': Difference(
            "Ours 4.1: 405 with a sentence", 405, TEXT, holds=("does not change an app's files",)
        ),
        "GET /admin/host/processes": Difference(
            "this host is no .NET process",
            body='{"processes": ['
            '{"debugEngine": "python", "isEligibleForOpenInBrowser": false, "processId": 0, "processName": "linarite"}, '
            '{"debugEngine": "python", "isEligibleForOpenInBrowser": false, "processId": 0, "processName": "python"}]}',
        ),
    },
    "auth": {
        "root no key": HOMEPAGE,
        "production /": HOMEPAGE,
        "/admin/functions master": listing(34511, "anymethod", "main"),
        "func key case changed": EXACT,
        "fresh process: swapcase after correct": EXACT,
    },
    "hostjson-variants": {
        "prefix-v1 /": HOMEPAGE,
        "prefix-deep /": HOMEPAGE,
        "prefix-empty /": HOMEPAGE,
        "hsts+custom GET root": HOMEPAGE,
        "no-version GET root": HOMEPAGE,
        "functions-list GET root": HOMEPAGE,
        "disabled-env GET root": HOMEPAGE,
        "bad-json GET root": ERROR_PAGE,
        "version-3 GET root": ERROR_PAGE,
        "bad-json GET status": Difference(
            OWN_WORDS, holds=('"state": "Error"', "Unable to parse host configuration file", "host.json, line 1, column 18")
        ),
        "version-3 GET status": Difference(
            OWN_WORDS,
            holds=('"state": "Error"', "'3.0' is an invalid value for host.json 'version' property.", "only to the schema version"),
        ),
    },
    "v1model": {
        "status BadJson": Difference("Ours 1.5: what is wrong in our own words, with line and column", holds=("line 2, column 1",)),
        "status BadDir": Difference(OWN_WORDS, body='{"errors": ["\'sideways\' is not a valid binding direction."]}'),
        "status SyntaxErr": Difference(TOLD, holds=("SyntaxErr/__init__.py:1: SyntaxError",)),
        "status NoMain": Difference(TOLD, holds=("function main() is not present in NoMain/__init__.py",)),
        "status ParamMismatch": Difference(TOLD, holds=("parameters are declared in Python but not in function.json: {'other'}",)),
        "status TimerBad": Difference(
            "the same sentence, and what was expected",
            rewrite=(
                "timespan string.",
                "timespan string. Expected 5 or 6 fields, such as 0 */5 * * * *, or a timespan, such as 00:05:00.",
            ),
        ),
        "status TimerNoSetting": Difference(
            "the same sentence, and what to do",
            rewrite=("does not resolve to a value.", "does not resolve to a value. Add it to the Values of local.settings.json."),
        ),
        "functions": Difference(IN_HTTP, body=V1_LISTING),
    },
    "startup-failures": {
        **{
            f"{variant} /": HOMEPAGE
            for variant in ("no-functions", "no-storage", "storage-unreachable", "timer-no-storage", "no-runtime", "bad-exe")
        },
        **{
            f"{variant} /admin/functions": Difference(IN_HTTP, rewrite=("https://", "http://"))
            for variant in ("dup-names", "no-storage", "storage-unreachable", "timer-no-storage")
        },
        "broken-import /": dataclasses.replace(HOMEPAGE, holds=(*HOMEPAGE.holds, "No module named", "nosuch")),
        "broken-import /admin/host/status": Difference("Ours 1.9: `errors` also where the state is Running", holds=('"errors": [',)),
        "dup-names /": ERROR_PAGE,
        "wrong-runtime /": ERROR_PAGE,
        "dup-names /admin/host/status": Difference(
            "Ours 1.5: both functions, files and lines", holds=('"state": "Error"', "'Same'", "'same'")
        ),
        "wrong-runtime /admin/host/status": Difference(OWN_WORDS, holds=('"state": "Error"', "WorkerConfig for runtime: node not found.")),
        "wrong-runtime /admin/functions": Difference("the list of functions is empty, as it is; .NET fails at it", 200, JSON, "[]"),
        "no-runtime /api/hello": Difference(SUPPLIED, 200, TEXT, "Hello World"),
        "no-runtime /admin/functions": Difference(SUPPLIED, holds=('"name": "hello"',)),
        "bad-exe /api/hello": Difference(OWN_PYTHON, 200, TEXT, "Hello World"),
        "bad-exe /admin/functions": Difference(OWN_PYTHON, 200, JSON, holds=('"name": "hello"',)),
    },
}


@dataclass
class Report:
    """How many answers were equal, how many differ for a reason, and the rest."""

    equal: int
    explained: int
    unexplained: list[str]


async def replay(topic: str, played: list[Exchange], world: World, keys: KeyNames | None = None) -> Report:
    """Send exchanges in their order and compare."""
    report = Report(0, 0, [])
    for exchange in played:
        answer = await play(exchange, world, keys)
        difference = DIFFERENCES.get(topic, {}).get(exchange.case)
        if answer == exchange.answer and difference is None:
            report.equal += 1
        elif difference is not None and difference.accepts(exchange.answer, answer):
            report.explained += 1
        else:
            report.unexplained.append(f"{exchange.case}\n  recorded {exchange.answer}\n  ours     {answer}\n  table    {difference}")
    return report


async def play(exchange: Exchange, world: World, keys: KeyNames | None) -> Answer:
    """Our answer to one recorded request, keys by their names."""
    if keys is None:
        return await ask(world.port, request_bytes(exchange.request), world.root)
    request: dict[str, Any] = json.loads(keys.filled(json.dumps(exchange.request, ensure_ascii=False)))
    answer = await ask(world.port, request_bytes(request), world.root)
    return dataclasses.replace(answer, body=keys.named(exchange.answer.body, answer.body))


def say(report: Report) -> str:
    return "\n".join(report.unexplained)


@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")  # the recorded app's uploads
@pytest.mark.parametrize(
    ("topic", "app", "equal", "explained"),
    [
        ("returns", "main", 49, 6),
        ("routes", "main", 112, 5),
        ("precedence", "prec", 26, 2),
        ("requests", "main", 47, 9),
        ("root", "main", 11, 3),
    ],
)
async def test_recorded_requests_get_the_recorded_answers(topic: str, app: str, equal: int, explained: int, tmp_path: Path) -> None:
    async with served(app_folder(app, tmp_path)) as world:
        report = await replay(topic, [exchange for exchange in exchanges(topic) if not exchange.variant], world)
    assert not report.unexplained, say(report)
    assert (report.equal, report.explained) == (equal, explained)


@pytest.mark.parametrize("binding", [False, True])
async def test_chunked_bodies_are_dropped_whatever_host_json_says(binding: bool, tmp_path: Path) -> None:
    played = [
        exchange for exchange in exchanges("requests") if str(binding).lower() in exchange.variant or (exchange.variant and not binding)
    ]
    host_json = {"version": "2.0", "extensions": {"http": {"enableChunkedRequestBinding": binding}}}
    async with served(app_folder("qdef", tmp_path, host_json)) as world:
        report = await replay("requests", played[:1], world)
    assert (report.equal, report.unexplained) == (1, [])


async def test_one_route_with_a_leading_slash_stops_the_app(tmp_path: Path) -> None:
    mark = "# leading slash / reserved\n"
    lead = '@app.route(route="/lead/slash")\ndef lead(req: func.HttpRequest): return H("lead")\n'
    async with served(app_folder("prec", tmp_path, replace={mark: mark + lead})) as world:
        report = await replay("route-leading-slash", exchanges("route-leading-slash"), world)
        assert "'api//lead/slash' of function 'lead'" in world.web.site.errors[0]
    assert not report.unexplained, say(report)
    assert (report.equal, report.explained) == (26, 2)


async def test_the_admin_api(tmp_path: Path) -> None:
    async with served(app_folder("main", tmp_path)) as world:
        report = await replay("admin", exchanges("admin"), world, KeyNames({}))
    assert not report.unexplained, say(report)
    assert (report.equal, report.explained) == (48, 3)


async def test_an_app_of_function_json_files(tmp_path: Path) -> None:
    async with served(app_folder("v1", tmp_path), environment={"MYSCHED": "0 */5 * * * *"}) as world:
        report = await replay("v1model", exchanges("v1model"), world)
    assert not report.unexplained, say(report)
    assert (report.equal, report.explained) == (53, 8)


async def test_keys(tmp_path: Path) -> None:
    """The recording has a second process, with the keys of the first, from the case `fresh process` on."""
    played = exchanges("auth")
    second = next(place for place, exchange in enumerate(played) if exchange.case.startswith("fresh process"))
    folder = app_folder("main", tmp_path)
    async with served(folder, locked=True) as world:
        names = KeyNames({"key-6": world.keys.master})
        first_report = await replay("auth", played[:second], world, names)
    async with served(folder, locked=True) as world:
        second_report = await replay("auth", played[second:], world, names)
    assert not first_report.unexplained + second_report.unexplained, say(first_report) + say(second_report)
    assert first_report.equal + second_report.equal == 94
    assert first_report.explained + second_report.explained == 5


async def test_keys_are_kept_in_the_recorded_form(tmp_path: Path) -> None:
    """Recorded as blobs; here they are files. Which host wrote them is left out."""
    async with served(app_folder("main", tmp_path), locked=True) as world:
        names = KeyNames({"key-6": world.keys.master})
        await replay("auth", exchanges("auth")[:20], world, names)
        kept = world.folder / ".linarite" / "keys"
        for line in recorded("auth"):
            if (blob := line["case"].partition("/")[2]) not in ("host.json", "auth_func.json"):
                continue
            ours = json.loads((kept / ("" if blob == "host.json" else "functions") / blob).read_text("utf-8"))
            theirs = json.loads(line["content"])
            for written in (ours, theirs):
                written.update(hostName="", instanceId="")
            wanted = json.dumps(theirs)
            assert names.named(wanted, json.dumps(ours)) == wanted


def variants(topic: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((DATA / "variants.json").read_text("utf-8"))[topic]
    return found


SLOW = ("maxConcurrent2", "maxOutstanding3", "functionTimeout3s")


def variant_exchanges(topic: str, variant: str) -> list[Exchange]:
    return [
        dataclasses.replace(one, case=f"{variant} {one.case}".replace(f"{variant} {variant}", variant))
        for one in exchanges(topic)
        if one.variant == variant
    ]


@pytest.mark.parametrize("variant", [name for name in variants("hostjson-variants") if name not in SLOW])
async def test_variants_of_host_json(variant: str, tmp_path: Path) -> None:
    given = variants("hostjson-variants")[variant]
    played = variant_exchanges("hostjson-variants", variant)
    async with served(app_folder("var", tmp_path, given["host.json"]), environment=given["env"]) as world:
        report = await replay("hostjson-variants", played, world)
    assert not report.unexplained, say(report)
    assert report.equal + report.explained == len(played) > 0


@pytest.mark.slow
@pytest.mark.parametrize("variant", SLOW[:2])
async def test_throttles(variant: str, tmp_path: Path) -> None:
    """Twelve calls at once; who is refused is chance."""
    given = variants("hostjson-variants")[variant]
    played = variant_exchanges("hostjson-variants", variant)
    async with served(app_folder("var", tmp_path, given["host.json"])) as world:
        answers = await asyncio.gather(*(ask(world.port, request_bytes(one.request), world.root) for one in played))
    assert Counter(answers) == Counter(one.answer for one in played)
    assert len(played) == 12


@pytest.mark.slow
async def test_a_function_that_takes_too_long(tmp_path: Path) -> None:
    given = variants("hostjson-variants")["functionTimeout3s"]
    played = variant_exchanges("hostjson-variants", "functionTimeout3s")
    async with served(app_folder("var", tmp_path, given["host.json"]), in_child=True) as world:
        report = await replay("hostjson-variants", played, world)
    assert not report.unexplained, say(report)
    assert report.equal == len(played) == 5


@pytest.mark.slow
async def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    async with served(app_folder("main", tmp_path), in_child=True) as world:
        report = await replay("errors", exchanges("errors"), world)
    assert not report.unexplained, say(report)
    assert report.equal == 16


FAILURE_APPS = {"broken-import": "broken", "no-functions": "none", "dup-names": "dup", "timer-no-storage": "retry"}


@pytest.mark.parametrize("variant", variants("startup-failures"))
async def test_failures_to_start(variant: str, tmp_path: Path) -> None:
    played = variant_exchanges("startup-failures", variant)
    environment = variants("startup-failures")[variant]["env"]
    async with served(app_folder(FAILURE_APPS.get(variant, "hello"), tmp_path), environment=environment) as world:
        report = await replay("startup-failures", played, world)
    assert not report.unexplained, say(report)
    assert report.equal + report.explained == len(played) == 5
