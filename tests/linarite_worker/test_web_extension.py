"""Which apps have their HTTP functions called by a web extension, and what these may declare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest
from azurefunctions.extensions.http.fastapi import Request, Response, StreamingResponse  # type: ignore[import-untyped]

from linarite_worker.failures import LoadError
from linarite_worker.loader import load


def app_of(*functions: Callable[..., Any]) -> func.FunctionApp:
    app = func.FunctionApp()
    for function in functions:
        app.route(route=function.__name__)(function)
    return app


def are_streamed(*functions: Callable[..., Any], is_shared: bool = False) -> list[bool]:
    return [one.facts["is_streamed"] for one in load(app_of(*functions), "/app", "function_app.py", is_shared=is_shared).functions]


def streams(req: Request) -> StreamingResponse:
    raise NotImplementedError


def bare(req):  # type: ignore[no-untyped-def]
    raise NotImplementedError


def plain(req: func.HttpRequest) -> func.HttpResponse:
    raise NotImplementedError


def returns_plain(req: Request) -> func.HttpResponse:
    raise NotImplementedError


def returns_dict(req: Request) -> dict:  # type: ignore[type-arg]
    raise NotImplementedError


def returns_bytes(req: Request) -> bytes:
    raise NotImplementedError


def test_one_import_is_enough_for_all_http_functions() -> None:
    assert are_streamed(streams, bare, returns_dict) == [True, True, True]
    assert are_streamed(bare) == [True]


def test_another_app_s_import_in_the_same_process_is_none_of_this_app_s_business() -> None:
    assert are_streamed(bare, plain, is_shared=True) == [False, False]
    assert are_streamed(streams, bare, is_shared=True) == [True, True]


@pytest.mark.parametrize("off", ["0", "false", "No"])
def test_it_can_be_switched_off(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_ENABLE_INIT_INDEXING", off)
    assert are_streamed(plain) == [False]


def test_the_sdk_s_request_beside_it_is_refused() -> None:
    with pytest.raises(LoadError, match=r'type of req binding in the binding decorator "httpTrigger" does not match .* "HttpRequest"'):
        are_streamed(streams, plain)


@pytest.mark.parametrize(("function", "name"), [(returns_plain, "HttpResponse"), (returns_bytes, "bytes")])
def test_a_response_is_one_of_the_extension_s(function: Callable[..., Any], name: str) -> None:
    with pytest.raises(LoadError, match=f'Python return annotation "{name}" does not match binding type "http"'):
        are_streamed(function)


def test_functions_with_other_triggers_are_left_alone() -> None:
    app = app_of(streams)

    @app.queue_trigger(arg_name="message", queue_name="q", connection="AzureWebJobsStorage")
    def queued(message: func.QueueMessage) -> None: ...

    found = load(app, "/app", "function_app.py").functions
    assert {one.name: one.facts["is_streamed"] for one in found} == {"streams": True, "queued": False}


def test_the_types_are_the_framework_s_own() -> None:
    assert Request.__module__ == "starlette.requests"
    assert Response.__module__ == "starlette.responses"
