"""The web application: what answers, in which state, with which headers."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from linarite.errors import UserCodeFailed
from linarite.invocation import HttpRequest, InvocationResult, string
from linarite.metadata import Function
from linarite.settings import HostSettings, HstsSettings, HttpSettings
from linarite.web.app import MAX_WAIT_S
from linarite.web.cors import Cors
from linarite.web.requests import Receive, Scope, Send
from tests.web.calls import Calls, StandingHost, call, responds, site, web
from tests.web.functions import function, http_function

HELLO = http_function("hello", "hello/{name?}")


async def test_a_request_reaches_its_function_with_all_it_carries(tmp_path: Path) -> None:
    answered = await call(web(site(HELLO), tmp_path), "POST", "/api/Hello/w%C3%B6rld?a=1&b=", body=b"text")
    assert answered.status == 200
    assert answered.json == {
        "name": "hello",
        "method": "POST",
        "url": "http://localhost:7071/api/Hello/w%C3%B6rld?a=1&b=",
        "params": {"name": "wörld"},
        "query": {"a": "1"},
        "body": "text",
    }


@pytest.mark.parametrize("target", ["/api/nosuch", "/hello", "/index.html", "/admin", "/admin/", "/runtime", "/admin/nosuch", "/api"])
async def test_what_nobody_serves_is_404_without_a_body(tmp_path: Path, target: str) -> None:
    answered = await call(web(site(HELLO), tmp_path), "GET", target)
    assert (answered.status, answered.body, answered.header("content-type")) == (404, b"", None)


async def test_a_function_that_raises_is_500_without_a_word(tmp_path: Path) -> None:
    def fail(function: Function, request: HttpRequest) -> InvocationResult:
        raise UserCodeFailed("ValueError", "secret", "")

    answered = await call(web(site(HELLO), tmp_path, calls=Calls(fail)), "GET", "/api/hello")
    assert (answered.status, answered.body) == (500, b"")


async def test_a_response_that_cannot_be_sent_is_500_and_the_log_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = web(site(HELLO), tmp_path, calls=Calls(lambda f, r: responds(X_U="é")))
    assert (await call(app, "GET", "/api/hello")).status == 500
    record = caplog.records[-1]
    assert (record.name, record.levelno) == ("Function.hello", logging.ERROR)
    assert "function 'hello' (function_app.py:7) cannot be sent: the value of its header X-U holds 'é'" in record.getMessage()


async def test_an_own_transfer_encoding_is_dropped_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = web(site(HELLO), tmp_path, calls=Calls(lambda f, r: responds(b"12345", Transfer_Encoding="chunked")))
    answered = await call(app, "GET", "/api/hello")
    assert (answered.status, answered.body, answered.header("content-length")) == (200, b"12345", "5")
    assert "sets the header Transfer-Encoding" in caplog.text


async def test_a_response_that_wants_content_negotiation_is_sent_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = '{"body": {"a": 1}, "enableContentNegotiation": true}'
    app = web(site(HELLO), tmp_path, calls=Calls(lambda f, r: InvocationResult(return_value=string(text))))
    for _ in range(2):
        answered = await call(app, "GET", "/api/hello")
        assert (answered.status, answered.body) == (200, b'{"a":1}')
    assert caplog.text.count("The response of function 'hello' (function_app.py:7) sets enableContentNegotiation") == 1


async def test_a_body_over_the_limit_is_500_and_the_limit_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = web(site(HELLO, settings={"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "3"}), tmp_path)
    answered = await call(app, "POST", "/api/hello", body=b"text")
    assert (answered.status, answered.header("connection")) == (500, "close")
    assert "4 bytes; the limit is 3" in caplog.text


async def test_a_chunked_body_is_dropped_with_one_warning_a_function(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = web(site(HELLO), tmp_path)
    for _ in range(2):
        assert (await call(app, "POST", "/api/hello", transfer_encoding="chunked")).json["body"] == ""
    assert caplog.text.count("Transfer-Encoding: chunked") == 1


async def test_binding_data_is_made_only_for_other_bindings(tmp_path: Path) -> None:
    queue = {"direction": "OUT", "type": "queue", "name": "msg"}
    trigger = {"direction": "IN", "type": "httpTrigger", "name": "req", "route": "with/{id}"}
    calls = Calls(lambda f, r: InvocationResult(return_value=string("x")))
    app = web(site(HELLO, function("with", trigger, queue)), tmp_path, calls=calls)
    await call(app, "GET", "/api/hello/x")
    await call(app, "GET", "/api/with/5?a=1")
    assert calls.metadata[0] == {}
    assert calls.metadata[1]["id"] == string("5")


async def test_head_and_bodiless_statuses_are_framed(tmp_path: Path) -> None:
    app = web(site(HELLO), tmp_path, calls=Calls(lambda f, r: responds(b"vanishes", 204, content_type="a/b")))
    answered = await call(app, "GET", "/api/hello")
    assert (answered.body, answered.header("content-length"), answered.header("content-type")) == (b"", None, "a/b")


async def test_every_answer_has_a_date_unless_the_app_set_its_own(tmp_path: Path) -> None:
    app = web(site(HELLO), tmp_path, calls=Calls(lambda f, r: responds(Date="yesterday", Server="mine")))
    assert (await call(app, "GET", "/x")).header("date") == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert [value for name, value in (await call(app, "GET", "/api/hello")).headers if name == "date"] == ["yesterday"]


async def test_the_date_moves_with_the_clock(tmp_path: Path) -> None:
    app = web(site(HELLO), tmp_path)
    await call(app, "GET", "/x")
    app.clock.advance(61)  # type: ignore[attr-defined]  # a manual clock
    assert (await call(app, "GET", "/x")).header("date") == "Thu, 01 Jan 2026 00:01:01 GMT"


@pytest.mark.parametrize("target", ["/api/hello", "/api/nosuch", "/", "/admin/host/status"])
async def test_custom_headers_are_on_every_answer_that_has_none_of_its_own(tmp_path: Path, target: str) -> None:
    http = HttpSettings(custom_headers={"X-C": "1", "Content-Type": "never/this"})
    app = web(site(HELLO, host=HostSettings(http=http)), tmp_path, calls=Calls(lambda f, r: responds(content_type="a/b", X_C="own")))
    answered = await call(app, "GET", target)
    assert [value for name, value in answered.headers if name == "x-c"] == ["own" if target == "/api/hello" else "1"]


async def test_a_custom_header_that_cannot_be_sent_is_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = web(site(HELLO, host=HostSettings(http=HttpSettings(custom_headers={"X C": "1", "X-D": "2"}))), tmp_path)
    answered = await call(app, "GET", "/")
    assert [name for name, _ in answered.headers if name.startswith("x")] == ["x-d"]
    assert "customHeaders: left out, since header name 'X C' is not a token" in caplog.text


@pytest.mark.parametrize(
    ("scheme", "host", "value"),
    [
        ("https", "example.com", "max-age=10; includeSubDomains"),
        ("https", "example.com:443", "max-age=10; includeSubDomains"),
        ("http", "example.com", None),
        ("https", "localhost:7071", None),
        ("https", "[::1]:7071", None),
        ("https", "Internal.example", None),
    ],
)
async def test_strict_transport_security_is_for_https_and_other_machines(tmp_path: Path, scheme: str, host: str, value: str | None) -> None:
    hsts = HstsSettings(is_enabled=True, max_age_s=10, include_sub_domains=True, excluded_hosts=("internal.example",))
    app = web(site(HELLO, host=HostSettings(http=HttpSettings(hsts=hsts))), tmp_path)
    assert (await call(app, "GET", "/api/hello", scheme=scheme, host=host)).header("strict-transport-security") == value


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
async def test_the_homepage_answers_any_method(tmp_path: Path, method: str) -> None:
    answered = await call(web(site(HELLO), tmp_path), method, "/")
    assert (answered.status, answered.header("content-type")) == (200, "text/html")
    assert b"<title>Your Azure Function App is up and running.</title>" in answered.body
    assert b"Your Functions 4.0 app is up and running" in answered.body


async def test_the_homepage_can_be_switched_off(tmp_path: Path) -> None:
    assert (await call(web(site(settings={"AzureWebJobsDisableHomepage": "1"}), tmp_path), "GET", "/")).status == 204


async def test_a_function_may_claim_the_root(tmp_path: Path) -> None:
    app = web(site(http_function("all", "/{*rest}"), host=HostSettings(http=HttpSettings(route_prefix=""))), tmp_path)
    assert (await call(app, "GET", "/")).json["name"] == "all"


async def test_an_app_that_could_not_be_loaded_is_404_and_the_homepage_says_why(tmp_path: Path) -> None:
    app = web(site(errors=("function_app.py:3: no module named 'nosuch' <or so>",)), tmp_path)
    assert (await call(app, "GET", "/api/hello")).status == 404
    page = await call(app, "GET", "/")
    assert page.status == 200
    assert b"function_app.py:3: no module named &#x27;nosuch&#x27; &lt;or so&gt;" in page.body


async def test_in_state_error_everything_but_the_admin_api_is_503(tmp_path: Path) -> None:
    app = web(site(HELLO, state="Error", errors=("host.json, line 1",)), tmp_path)
    for target in ("/api/hello", "/nosuch", "/runtime/webhooks/durabletask/instances"):
        answered = await call(app, "GET", target)
        assert (answered.status, answered.body, answered.header("content-type")) == (503, b"Function host is not running.", None)
    page = await call(app, "GET", "/")
    assert page.status == 503
    assert b"host.json, line 1" in page.body
    assert (await call(app, "GET", "/admin/host/status")).json["state"] == "Error"


async def test_an_app_that_was_taken_offline_is_503_on_every_path(tmp_path: Path) -> None:
    app = web(site(HELLO, state="Offline"), tmp_path)
    for target in ("/", "/api/hello"):
        answered = await call(app, "GET", target)
        assert (answered.status, answered.body) == (503, b"Function host is not running.")


async def test_app_offline_htm_is_served_in_the_place_of_the_app(tmp_path: Path) -> None:
    app = web(site(HELLO), tmp_path, host=StandingHost(folder=tmp_path))
    page = tmp_path / "app_offline.htm"
    page.write_text("back soon", "utf-8")
    for target in ("/", "/api/hello", "/nosuch"):
        answered = await call(app, "GET", target)
        assert (answered.status, answered.header("content-type"), answered.body) == (503, "text/html", b"back soon")
    assert (await call(app, "GET", "/admin/host/ping")).status == 200
    page.unlink()
    assert (await call(app, "GET", "/api/hello")).status == 200


async def test_requests_wait_while_a_generation_is_loaded(tmp_path: Path) -> None:
    app = web(site(HELLO), tmp_path)
    app.hold()
    waiting = asyncio.create_task(call(app, "GET", "/api/new"))
    await asyncio.sleep(0)
    assert not waiting.done()
    app.show(site(http_function("new")))
    assert (await waiting).json["name"] == "new"


async def test_requests_do_not_wait_for_ever(tmp_path: Path) -> None:
    app = web(None, tmp_path)
    waiting = asyncio.create_task(call(app, "GET", "/api/hello"))
    for _ in range(3):
        await asyncio.sleep(0)
    app.clock.advance(MAX_WAIT_S)  # type: ignore[attr-defined]  # a manual clock
    answered = await waiting
    assert (answered.status, answered.body) == (503, b"Function host is not running.")


async def test_the_admin_api_does_not_wait(tmp_path: Path) -> None:
    assert (await call(web(None, tmp_path), "GET", "/admin/host/status")).json["state"] == "Starting"


async def test_a_disabled_function_is_404(tmp_path: Path) -> None:
    assert (await call(web(site(HELLO, disabled=frozenset({"hello"})), tmp_path), "GET", "/api/hello")).status == 404


class Gate:
    """A function that runs until it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.running = 0

    async def invoke(self, *_: Any, **__: Any) -> InvocationResult:
        self.running += 1
        await self.let_go.wait()
        self.running -= 1
        return responds()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_too_many_outstanding_requests_are_refused_at_once(tmp_path: Path) -> None:
    gate = Gate()
    http = HttpSettings(max_outstanding_requests=3, max_concurrent_requests=2)
    app = web(site(HELLO, host=HostSettings(http=http)), tmp_path, calls=gate)  # type: ignore[arg-type]  # an invoker all the same
    waiting = [asyncio.create_task(call(app, "GET", "/api/hello")) for _ in range(3)]
    await turns()
    assert gate.running == 2
    refused = await call(app, "GET", "/api/hello")
    assert (refused.status, refused.body, refused.header("x-function-scaleout")) == (429, b"", "1")
    assert (await call(app, "GET", "/")).status == 200
    gate.let_go.set()
    assert [answered.status for answered in await asyncio.gather(*waiting)] == [200, 200, 200]
    assert (await call(app, "GET", "/api/hello")).status == 200


async def test_without_limits_all_run_at_once(tmp_path: Path) -> None:
    gate = Gate()
    app = web(site(HELLO), tmp_path, calls=gate)  # type: ignore[arg-type]
    waiting = [asyncio.create_task(call(app, "GET", "/api/hello")) for _ in range(50)]
    await turns()
    assert gate.running == 50
    gate.let_go.set()
    await asyncio.gather(*waiting)


async def hook(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 202, "headers": [(b"x-path", scope["path"].encode())]})
    await send({"type": "http.response.body", "body": b"hooked"})


async def test_extensions_answer_below_their_name(tmp_path: Path) -> None:
    app = web(site(), tmp_path, webhooks={"durabletask": hook})
    answered = await call(app, "POST", "/Runtime/webhooks/DurableTask/instances/x")
    assert (answered.status, answered.body) == (202, b"hooked")
    assert answered.header("x-path") == "/Runtime/webhooks/DurableTask/instances/x"
    assert answered.header("date") is not None
    assert (await call(app, "GET", "/runtime/webhooks/nosuch")).status == 404


async def test_an_error_of_ours_is_500_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("oops")

    app = web(site(), tmp_path, webhooks={"x": broken})
    assert (await call(app, "GET", "/runtime/webhooks/x")).status == 500
    assert "please report it" in caplog.text


async def test_an_extension_that_breaks_off_is_not_answered_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("oops")

    assert (await call(web(site(), tmp_path, webhooks={"x": broken}), "GET", "/runtime/webhooks/x")).status == 200
    assert "broke off its answer" in caplog.text


PAGE = "https://app.example"


async def test_without_cors_a_preflight_is_an_ordinary_request(tmp_path: Path) -> None:
    answered = await call(web(site(HELLO), tmp_path), "OPTIONS", "/api/hello", origin=PAGE, access_control_request_method="PUT")
    assert (answered.status, answered.header("access-control-allow-origin")) == (200, None)


async def test_a_preflight_of_a_listed_origin_is_answered(tmp_path: Path) -> None:
    app = web(site(HELLO), tmp_path, cors=Cors((PAGE,), credentials=True))
    asked = {"origin": PAGE, "access_control_request_method": "PUT", "access_control_request_headers": "x-a, x-b"}
    answered = await call(app, "OPTIONS", "/api/nosuch", asked)
    assert answered.status == 204
    assert (
        dict(answered.headers).items()
        >= {
            "access-control-allow-origin": PAGE,
            "access-control-allow-methods": "PUT",
            "access-control-allow-headers": "x-a, x-b",
            "access-control-allow-credentials": "true",
            "vary": "Origin",
        }.items()
    )


async def test_answers_name_the_origins_that_may_read_them(tmp_path: Path) -> None:
    app = web(site(HELLO), tmp_path, cors=Cors((PAGE + "/",)))
    assert (await call(app, "GET", "/api/hello", origin=PAGE)).header("access-control-allow-origin") == PAGE
    assert (await call(app, "GET", "/api/hello", origin="https://other.example")).header("access-control-allow-origin") is None
    assert (await call(app, "GET", "/api/hello")).header("access-control-allow-origin") is None


@pytest.mark.parametrize(("credentials", "origin"), [(False, "*"), (True, PAGE)])
async def test_any_origin(tmp_path: Path, credentials: bool, origin: str) -> None:
    app = web(site(HELLO), tmp_path, cors=Cors(("*",), credentials))
    assert (await call(app, "GET", "/api/hello", origin=PAGE)).header("access-control-allow-origin") == origin


@pytest.mark.parametrize("target", ["/admin/host/status", "/runtime/webhooks/durabletask/instances"])
@pytest.mark.parametrize(
    ("origin", "allowed", "refused"),
    [
        (None, (), False),
        ("http://localhost:7071", (), False),
        ("http://LOCALHOST:7071", (), False),
        (PAGE, (), True),
        ("null", (), True),
        ("http://localhost:3000", (), True),
        (PAGE, (PAGE,), False),
        (PAGE, ("*",), False),
        ("http://127.0.0.1:7071", (), False),
        ("http://127.0.0.1:3000", (), True),
    ],
)
async def test_management_endpoints_refuse_pages_of_other_origins(
    tmp_path: Path, target: str, origin: str | None, allowed: tuple[str, ...], refused: bool
) -> None:
    app = web(site(), tmp_path, webhooks={"durabletask": hook}, cors=Cors(allowed))
    answered = await call(app, "GET", target, {"origin": origin} if origin else {})
    assert (answered.status == 403) is refused


@pytest.mark.parametrize(
    ("headers", "allowed", "refused"),
    [
        ({"host": "evil.example:7071", "origin": "http://evil.example:7071"}, (), True),
        ({"host": "evil.example:7071", "sec-fetch-site": "same-origin"}, (), True),
        ({"host": "evil.example:7071", "sec-fetch-site": "same-origin"}, ("https://evil.example:7071",), False),
        ({"host": "evil.example:7071"}, (), False),
        ({"host": "localhost:7071", "sec-fetch-site": "none"}, (), False),
        ({"host": "192.168.1.5:7071", "sec-fetch-site": "same-origin"}, (), False),
        ({"host": "[fe80::1]:7071", "origin": "http://[fe80::1]:7071"}, (), False),
        ({"host": "devbox:7071", "origin": "http://devbox:7071"}, (), False),
    ],
)
async def test_a_page_that_has_named_itself_after_this_machine_is_refused(
    tmp_path: Path, headers: dict[str, str], allowed: tuple[str, ...], refused: bool
) -> None:
    answered = await call(web(site(), tmp_path, cors=Cors(allowed)), "GET", "/admin/host/status", headers)
    assert (answered.status == 403) is refused


async def test_functions_may_be_called_from_any_page(tmp_path: Path) -> None:
    assert (await call(web(site(HELLO), tmp_path), "GET", "/api/hello", origin=PAGE)).status == 200
