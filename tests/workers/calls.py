"""What tests of workers say often: an invocation of a function, a request, an app made of a text."""

from __future__ import annotations

import asyncio
import itertools
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from linarite.invocation import Datum, HttpRequest, Invocation, json_text
from linarite.metadata import Function
from linarite.workers.protocol import IndexedApp, LogLine, WorkerChannel

APPS = Path(__file__).parent.parent / "apps"
TIMER = json_text('{"IsPastDue": false, "Schedule": {}, "ScheduleStatus": null}')


class Lines:
    """A log sink that remembers, and can be waited on."""

    def __init__(self) -> None:
        self.all: list[LogLine] = []
        self._more = asyncio.Event()

    def __call__(self, line: LogLine) -> None:
        self.all.append(line)
        self._more.set()

    def of(self, invocation_id: str) -> list[LogLine]:
        return [line for line in self.all if line.invocation_id == invocation_id]

    async def until(self, message: str) -> LogLine:
        """The first line that says `message`, now or later."""
        while True:
            for line in self.all:
                if line.message == message:
                    return line
            await self.more()

    async def more(self) -> None:
        """Wait for the next line."""
        self._more.clear()
        await self._more.wait()


@asynccontextmanager
async def up(worker: WorkerChannel, grace_s: float = 0) -> AsyncIterator[IndexedApp]:
    """The app of a worker that is started, and stopped whatever happens: one that is left up in this process bars all that follow."""
    try:
        yield await worker.start()
    finally:
        await worker.stop(grace_s)


_ids = itertools.count(1)


def function(app: IndexedApp, name: str) -> Function:
    """A function of the app, which loaded, by its name."""
    assert app.failure is None, app.failure
    return next(one for one in app.functions if one.name == name)


def invocation(function: Function, inputs: dict[str, Datum], trigger_metadata: dict[str, Datum] | None = None) -> Invocation:
    """An invocation with an id of its own."""
    return Invocation(
        id=f"00000000-0000-0000-0000-{next(_ids):012}",
        function_id=function.id,
        function_name=function.name,
        inputs=inputs,
        trigger_metadata=trigger_metadata or {},
    )


def request(*, body: bytes = b"", method: str = "GET", query: dict[str, str] | None = None, **params: str) -> Datum:
    """An HTTP request with these route parameters."""
    url = "http://localhost:7071/api/x"
    return Datum("http", HttpRequest(method=method, url=url, headers={"host": "localhost"}, query=query or {}, params=params, body=body))


def write_app(folder: Path, source: str, name: str = "function_app.py") -> Path:
    """An app whose script is `source`, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "host.json").write_text('{"version": "2.0"}', "utf-8")
    (folder / name).write_text(textwrap.dedent(source), "utf-8")
    return folder
