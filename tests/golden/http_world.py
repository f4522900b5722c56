"""A recorded app, served: its files in a folder of their own, a worker, the web application, a port."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from linarite.clock import Clock, SystemClock
from linarite.errors import AppError
from linarite.function_log import FunctionLog
from linarite.identity import host_id
from linarite.invoker import Invoker
from linarite.metadata import Function
from linarite.settings import AppSettings, HostSettings
from linarite.settings_files import read_settings
from linarite.web.app import Web
from linarite.web.assembly import broken_site, site_of
from linarite.web.auth import Doors
from linarite.web.keys import Keys
from linarite.web.server import WebServer
from linarite.web.site import Drain, Site
from linarite.workers.child import ChildWorker
from linarite.workers.in_process import InProcessWorker
from linarite.workers.pool import WorkerPool
from linarite.workers.protocol import WorkerChannel
from tests.golden.http_exchanges import DATA

SETTINGS = {"FUNCTIONS_WORKER_RUNTIME": "python", "AzureWebJobsStorage": "UseDevelopmentStorage=true"}


class RecordedHost:
    """As much of a host as the admin API is asked for in the recordings."""

    def __init__(self, folder: Path, started_at: datetime) -> None:
        self.id = host_id(AppSettings({}), "vm", str(folder))
        self.folder = folder
        self.started_at = started_at
        self.worker_pids = (4711,)
        self.fired: list[tuple[str, str | None]] = []
        self._drain = Drain("Disabled", 0)

    async def restart(self) -> None:
        raise AssertionError("no recording restarts the host")

    async def drain(self) -> None:
        self._drain = Drain("Completed", 0)

    async def resume(self) -> None:
        self._drain = Drain("Disabled", 0)

    def drain_status(self) -> Drain:
        return self._drain

    async def set_offline(self, offline: bool) -> None:
        raise AssertionError("no recording takes the app offline")

    async def fire(self, function: Function, value: str | None) -> None:
        self.fired.append((function.name, value))


@dataclass
class World:
    """What is served, and where."""

    port: int
    folder: Path
    web: Web
    keys: Keys

    @property
    def root(self) -> Path:
        """What recordings call `<root>`."""
        return self.folder.parent.parent


def app_folder(name: str, where: Path, host_json: Any = None, replace: Mapping[str, str] | None = None) -> Path:
    """A copy of a recorded app, with a host.json; `replace` is applied to the source."""
    folder = where / "apps" / name
    shutil.copytree(DATA / "apps" / name, folder)
    content = host_json if isinstance(host_json, str) else json.dumps(host_json or {"version": "2.0"})
    (folder / "host.json").write_text(content, "utf-8")
    for old, new in (replace or {}).items():
        source = (folder / "function_app.py").read_text("utf-8")
        assert old in source
        (folder / "function_app.py").write_text(source.replace(old, new), "utf-8")
    return folder


@contextlib.asynccontextmanager
async def served(
    folder: Path, *, environment: Mapping[str, str | None] | None = None, locked: bool = False, in_child: bool = False
) -> AsyncIterator[World]:
    """Load and serve the app in a folder; `in_child`: in a process that may die."""
    given = {name: value for name, value in {**SETTINGS, **(environment or {})}.items() if value is not None}
    clock = SystemClock()
    log = FunctionLog()
    worker = _pool(folder, given, log, clock) if in_child else InProcessWorker(folder, given, log.forward)
    site = await _site(folder, given, worker)
    invoker = Invoker(worker, clock, log, timeout_s=site.host.timeout_s)
    keys = Keys(folder / ".linarite" / "keys")
    web = Web(RecordedHost(folder, clock.now()), invoker, Doors(keys, are_locked=locked), clock)
    server = WebServer(web)
    listening = socket.create_server(("127.0.0.1", 0))
    await invoker.start()
    web.show(site)
    await server.start(listening)
    try:
        yield World(listening.getsockname()[1], folder, web, keys)
    finally:
        await server.stop(5)
        await invoker.stop()
        await worker.stop(5)


def _pool(folder: Path, environment: Mapping[str, str], log: FunctionLog, clock: Clock) -> WorkerPool:
    python, whole = Path(sys.executable), {**os.environ, **environment}
    return WorkerPool(lambda: ChildWorker(python, folder, whole, log.forward), 1, clock, has_spare=False)


async def _site(folder: Path, environment: Mapping[str, str], worker: WorkerChannel) -> Site:
    try:
        settings = read_settings(folder, environment)
    except AppError as error:
        return broken_site(error, HostSettings(), AppSettings(environment))
    return site_of(await worker.start(), settings.host, settings.app)
