"""pytest plugin: fixtures for the function app under test. Loaded by pytest itself wherever linarite is installed, so it imports little.

A test asks for `linarite_app` and has the app running in its own process, on a clock that stands still until the test moves it.
Which app: the `linarite_app` mark's, else the one in the folder that the ini option `linarite_app` names, else the nearest folder with a
host.json, from the test's own upwards to the rootdir.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from linarite.embedding.hosts import AsyncEmbeddedHost, DurableClient, EmbeddedHost, HostTime, HttpClient

_MARK = (
    "linarite_app(app, *, now, real_time, **choices): what the fixture linarite_app runs: an app object, or a folder below the rootdir; "
    "when it begins; whether time passes by itself; and whatever else linarite.EmbeddedHost takes, such as settings."
)

_WARNINGS_OF_THE_SDK = (
    "ignore:azure.functions df_loads was called without expected_type:DeprecationWarning",
    "ignore:enable_cleanup_closed ignored:DeprecationWarning",
)
"""What the Durable SDK brings on itself. Where warnings are errors, every orchestration would fail of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("linarite_app", "folder of the function app under test, relative to the rootdir", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARK)
    for warning in _WARNINGS_OF_THE_SDK:
        config.addinivalue_line("filterwarnings", warning)


@pytest.fixture
def linarite_app(request: pytest.FixtureRequest) -> Iterator[EmbeddedHost]:
    """The app under test, running: `linarite_app.http.post("/api/orders", json={...})`. Ends with the test."""
    from linarite.embedding.hosts import EmbeddedHost

    app, choices = _wanted(request)
    with EmbeddedHost(app, **choices) as host:
        yield host


@pytest.fixture
def linarite_async_app(linarite_app: EmbeddedHost) -> AsyncEmbeddedHost:
    """The app under test for async tests: `await linarite_async_app.http.get("/api/hello")`."""
    return linarite_app.aio


@pytest.fixture
def linarite_http(linarite_app: EmbeddedHost) -> HttpClient:
    """Calls the app's HTTP functions."""
    return linarite_app.http


@pytest.fixture
def linarite_durable(linarite_app: EmbeddedHost) -> DurableClient:
    """Starts, watches and steers the app's orchestrations and entities."""
    return linarite_app.durable


@pytest.fixture
def linarite_time(linarite_app: EmbeddedHost) -> HostTime:
    """The app's time: stands still until `linarite_time.advance(...)`."""
    return linarite_app.time


@pytest.fixture
def run_until_idle(linarite_app: EmbeddedHost) -> Callable[..., None]:
    """Lets the app do all there is to do: `run_until_idle()`, or with the time it may take, `run_until_idle(within=timedelta(days=30))`."""
    return linarite_app.run_until_idle


def _wanted(request: pytest.FixtureRequest) -> tuple[object, dict[str, Any]]:
    """The app, and how it is to be run. Marks nearer to the test count more; settings of all of them come together."""
    marks = list(request.node.iter_markers("linarite_app"))
    choices: dict[str, Any] = {}
    settings: dict[str, str] = {}
    for mark in reversed(marks):
        choices.update(mark.kwargs)
        settings.update(mark.kwargs.get("settings", {}))
    app = next((mark.args[0] for mark in marks if mark.args), None)
    if app is None:
        app = _folder(request)
    elif isinstance(app, (str, Path)):
        app = request.config.rootpath / app
    if "folder" in choices:
        choices["folder"] = request.config.rootpath / choices["folder"]
    clock = _clock(choices)
    return app, {**choices, "settings": settings, "clock": clock}


def _clock(choices: dict[str, Any]) -> Any:
    """A manual clock that begins now, unless something else is wanted; its words are taken out of the choices."""
    from linarite.clock import ManualClock

    now = choices.pop("now", None) or datetime.now(timezone.utc).replace(microsecond=0)
    real_time = choices.pop("real_time", False)
    return choices.pop("clock", None if real_time else ManualClock(now))


def _folder(request: pytest.FixtureRequest) -> Path:
    root = request.config.rootpath
    if named := request.config.getini("linarite_app"):
        return root / str(named)
    here = request.path.parent
    for folder in (here, *here.parents):
        if (folder / "host.json").exists():
            return folder
        if folder == root:
            break
    pytest.fail(
        f"No function app found: there is no host.json in {here}, nor above it up to the rootdir {root}. "
        'Name the app\'s folder with the ini option linarite_app, or mark the test: @pytest.mark.linarite_app("path/to/app").',
        pytrace=False,
    )
