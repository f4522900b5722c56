"""Sites out of apps: what a mistake stops, and what is said of it."""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec
import pytest

from linarite.errors import AppError
from linarite.metadata import RetrySettings, SourceLine
from linarite.settings import AppSettings, HostSettings, HttpSettings
from linarite.web.assembly import announce, broken_site, failure_text, site_of
from linarite.web.site import Site
from linarite.workers.protocol import IndexedApp, LoadFailure
from tests.web.functions import function, http_function


def assembled(app: IndexedApp, settings: dict[str, str] | None = None, *, host: HostSettings | None = None) -> Site:
    return site_of(app, host or HostSettings(), AppSettings(settings or {}))


BROKEN = LoadFailure(
    type_name="SyntaxError",
    message="'(' was never closed",
    traceback="",
    source=SourceLine(file="function_app.py", line=3),
    text="print((1)",
    caret=6,
)


def test_a_failure_shows_place_line_and_caret() -> None:
    assert failure_text(BROKEN).splitlines() == ["function_app.py:3: SyntaxError: '(' was never closed", "    print((1)", "         ^"]


def test_a_failure_shows_the_apps_own_frames() -> None:
    failure = LoadFailure(type_name="ValueError", message="no", traceback='  File "a.py", line 1, in <module>\n    x()\n')
    assert failure_text(failure).endswith('Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    x()')


def test_what_to_do_comes_last() -> None:
    failure = LoadFailure(type_name="ValueError", message="no", traceback="  frames\n", hint="Say yes.")
    assert failure_text(failure).splitlines()[-2:] == ["  frames", "Say yes."]


def test_an_app_that_cannot_be_loaded_runs_without_functions() -> None:
    site = assembled(IndexedApp(failure=BROKEN))
    assert (site.state, site.functions, list(site.errors)) == ("Running", (), [failure_text(BROKEN)])


def test_a_route_that_cannot_be_built_stops_the_app_but_its_functions_are_known() -> None:
    site = assembled(IndexedApp(functions=(http_function("good"), http_function("bad", "/x"))))
    assert site.state == "Error"
    assert "'api//x' of function 'bad'" in site.errors[0]
    assert len(site.functions) == 2


def test_names_that_differ_in_case_stop_the_app() -> None:
    assert assembled(IndexedApp(functions=(http_function("Same"), http_function("same")))).state == "Error"


def test_settings_that_cannot_be_used_stop_the_app() -> None:
    site = broken_site(AppError("host.json: line 1"), HostSettings(), AppSettings({}))
    assert (site.state, list(site.errors)) == ("Error", ["host.json: line 1"])


def test_errors_of_single_functions_leave_the_others_alone() -> None:
    alone = LoadFailure(type_name="SyntaxError", message="oops", traceback="", function_name="old")
    functions = (http_function("a", "x"), http_function("b", "x"), http_function("bad.name"), http_function("old"))
    site = assembled(IndexedApp(functions=functions, function_failures=(alone,)))
    assert site.function_errors == {
        "b": ("The route specified conflicts with the route defined by function 'a'.",),
        "bad.name": ("'bad.name' is not a valid function name.",),
        "old": ("SyntaxError: oops",),
    }
    assert [route.function.name for route in site.routes.routes] == ["a", "old"]


@pytest.mark.parametrize(
    ("schedule", "error"),
    [
        ("%NOSUCH%", "Microsoft.Azure.WebJobs.Host: '%NOSUCH%' does not resolve to a value."),
        ("not a cron", "Microsoft.Azure.WebJobs.Extensions: The schedule expression 'not a cron' was not recognized"),
        ("%WRONG%", "Microsoft.Azure.WebJobs.Extensions: The schedule expression 'never' was not recognized"),
    ],
)
def test_a_timer_that_cannot_be_indexed_is_listed_with_its_error(schedule: str, error: str) -> None:
    timer = function("tick", {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": schedule})
    site = assembled(IndexedApp(functions=(timer, http_function("a"))), {"WRONG": "never"})
    assert site.function_errors["tick"][0].startswith(f"Microsoft.Azure.WebJobs.Host: Error indexing method 'Functions.tick'. {error}")
    assert [one.name for one in site.functions] == ["a", "tick"]
    assert [route.function.name for route in site.routes.routes] == ["a"]


def test_disabled_functions_keep_their_route() -> None:
    site = assembled(IndexedApp(functions=(http_function("a"), http_function("b"))), {"AzureWebJobs.a.Disabled": "True"})
    assert site.disabled == {"a"}
    assert [route.function.name for route in site.routes.routes] == ["a", "b"]


def test_host_json_names_functions_and_prefix() -> None:
    host = HostSettings(functions=("a",), http=HttpSettings(route_prefix="v1"))
    site = assembled(IndexedApp(functions=(http_function("a"), http_function("b"))), host=host)
    assert [route.template.text for route in site.routes.routes] == ["v1/a"]


def announced(site: Site, caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, str]]:
    caplog.set_level(logging.INFO)
    announce(site)
    return [(record.name, record.levelno, record.getMessage()) for record in caplog.records]


def test_a_site_is_announced_in_the_functions_hosts_words(caplog: pytest.LogCaptureFixture) -> None:
    timer = function("tick", {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": "0 0 * * * *"})
    site = assembled(IndexedApp(functions=(http_function("b", "x"), http_function("a", "x"), timer)), {"AzureWebJobs_tick_Disabled": "1"})
    assert announced(site, caplog) == [
        (
            "Microsoft.Azure.WebJobs.Script.WebHost.WebScriptHostHttpRoutesManager",
            logging.INFO,
            "Initializing function HTTP routes\nMapped function route 'api/x' [all] to 'a'\n",
        ),
        (
            "Host.Startup",
            logging.ERROR,
            "The 'b' function is in error: The route specified conflicts with the route defined by function 'a'. (function_app.py:7)",
        ),
        ("Host.Startup", logging.INFO, "Function 'Functions.tick' is disabled"),
    ]


def test_a_broken_app_is_one_error_that_says_what_azure_would_show(caplog: pytest.LogCaptureFixture) -> None:
    errors = [text for _, level, text in announced(assembled(IndexedApp(failure=BROKEN)), caplog) if level == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith("function_app.py:3: SyntaxError")
    assert "On Azure every route would answer 404" in errors[0]


def test_an_error_of_a_function_ends_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    timer = function("tick", {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": "%When%"})
    [error] = [text for _, level, text in announced(assembled(IndexedApp(functions=(timer,))), caplog) if level == logging.ERROR]
    assert error.startswith("The 'tick' function is in error: Microsoft.Azure.WebJobs.Host: Error indexing method 'Functions.tick'. ")
    assert error.endswith("'%When%' does not resolve to a value. Add it to the Values of local.settings.json. (function_app.py:7)")


def test_a_retry_policy_that_azure_will_not_honour_for_ever_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    policy = RetrySettings(strategy="fixedDelay", max_retries=2, delay_s=1)
    timer = function("tick", {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": "0 0 * * * *"})
    functions = tuple(msgspec.structs.replace(one, retry=policy) for one in (timer, http_function("h")))
    assert [text for _, level, text in announced(assembled(IndexedApp(functions=functions)), caplog) if level == logging.WARNING] == [
        "Soon retries will not be supported for function 'Functions.h'. "
        "For more information, please visit http://aka.ms/func-retry-policies."
    ]


def test_what_a_function_json_gets_wrong_is_said_with_the_file(caplog: pytest.LogCaptureFixture) -> None:
    unread = LoadFailure(type_name="", message="no\nat all", traceback="", function_name="unread", file="/app/unread/function.json")
    nothing = msgspec.structs.replace(function("nothing"), is_decorated=False, directory="/app/nothing")
    app = IndexedApp(functions=(nothing,), function_failures=(unread,))
    assert {text for _, level, text in announced(assembled(app), caplog) if level == logging.ERROR} == {
        "The 'unread' function is in error: no (/app/unread/function.json)\nat all",
        "The 'nothing' function is in error: At least one binding must be declared. (/app/nothing/function.json)",
    }


@pytest.mark.parametrize(
    ("trigger", "error"),
    [
        (
            {"type": "queueTrigger", "queueName": "orders", "connection": "Shop"},
            "'AzureWebJobsShop' does not exist.* add Shop to the Values",
        ),
        ({"type": "queueTrigger", "queueName": "my_orders"}, "'my_orders' is not a valid queue name"),
        ({"type": "blobTrigger", "path": "{container}/x", "connection": ""}, "a trigger watches one container"),
        ({"type": "blobTrigger", "path": "in/{name}", "connection": "Bad"}, "'?Bad'?"),
        ({"type": "blobTrigger", "path": "in/{name}", "connection": "AzureWebJobsStorage"}, None),
        ({"type": "queueTrigger", "queueName": "orders", "connection": "Good"}, None),
    ],
)
def test_a_storage_trigger_that_cannot_be_listened_to_is_in_error(trigger: dict[str, Any], error: str | None) -> None:
    app = IndexedApp(functions=(function("f", {"direction": "IN", "name": "it", **trigger}),))
    settings = AppSettings({"Bad": "nonsense", "Good": "UseDevelopmentStorage=true"})
    found = site_of(app, HostSettings(), settings, uses_storage=True).function_errors.get("f", ())
    assert [bool(re.search(error or "", text)) for text in found] == [True] * (error is not None)
    assert site_of(app, HostSettings(), settings).function_errors == {}


def test_an_app_without_functions_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    assert any(
        text.startswith("No job functions found.")
        for _, level, text in announced(assembled(IndexedApp()), caplog)
        if level == logging.WARNING
    )


def test_a_shadowed_route_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    site = assembled(IndexedApp(functions=(http_function("a", "{x}"), http_function("b", "y"))))
    assert any("Function 'b'" in text for _, level, text in announced(site, caplog) if level == logging.WARNING)


def test_in_state_error_only_the_errors_are_said(caplog: pytest.LogCaptureFixture) -> None:
    assert announced(broken_site(AppError("bad"), HostSettings(), AppSettings({})), caplog) == [("Host.Startup", logging.ERROR, "bad")]
