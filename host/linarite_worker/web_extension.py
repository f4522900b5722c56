"""HTTP functions that take and return the types of a web framework: what an `azurefunctions-extensions-http-*` package brings along.

As in the Functions worker an app that imports such a package has all its HTTP functions called so. There the extension's own server
listens beside the worker; here its web application is called directly, with ASGI messages that cross between host and worker.
Source: azurefunctions-extensions-base, web; azure-functions-python-worker, http_v2; functions-host section 2.8.
"""

from __future__ import annotations

import importlib
import os
import sys
import typing
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

_BASE = "azurefunctions.extensions.base"
_OFF = ("0", "false", "f", "no", "n")

INVOCATION_ID = "x-ms-invocation-id"
"""Header by which a request is told apart; apps can read it."""

Message = MutableMapping[str, Any]
Asgi = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class WebExtension:
    """The extension that is imported in this process. `base` is the package in which it registers itself."""

    def __init__(self, base: Any) -> None:
        self._base = base

    def is_request(self, annotation: Any) -> bool:
        """Whether a parameter of that type can take the request."""
        return bool(self._base.RequestTrackerMeta.check_type(annotation))

    def is_response(self, annotation: Any) -> bool:
        """Whether a value of that type can be the response."""
        return bool(self._base.ResponseTrackerMeta.check_type(annotation))

    def application(self, answer: Callable[[Any], Awaitable[Any]]) -> Asgi:
        """The extension's web application, with one route for everything: `answer`, given a request, returns the response."""
        web_app = importlib.import_module(self._base.ModuleTrackerMeta.get_module()).WebApp()

        async def catch_all(request: Any) -> Any:
            return await answer(request)

        catch_all.__annotations__ = {"request": self._base.RequestTrackerMeta.get_request_type()}
        web_app.route(catch_all)
        application: Asgi = web_app.get_app()
        return application

    def set_route_params(self, request: Any, params: dict[str, str]) -> None:
        """Let the request have the values of the function's route."""
        self._base.RequestTrackerMeta.get_synchronizer().sync_route_params(request, params)


def web_extension(functions: Iterable[Callable[..., Any]], *, is_shared: bool) -> WebExtension | None:
    """The extension, if the app has its HTTP functions called by it.

    Where other apps are in this process (`is_shared`), that one of them has imported it says nothing: a function must name its types.
    """
    base: Any = sys.modules.get(_BASE)
    if base is None or os.environ.get("PYTHON_ENABLE_INIT_INDEXING", "").strip().lower() in _OFF:
        return None
    if not hasattr(base, "HttpV2FeatureChecker") or not base.HttpV2FeatureChecker.http_v2_enabled():
        return None
    extension = WebExtension(base)
    return extension if not is_shared or any(_names_its_types(function, extension) for function in functions) else None


def _names_its_types(function: Callable[..., Any], extension: WebExtension) -> bool:
    return any(extension.is_request(annotation) for annotation in typing.get_type_hints(function).values())
