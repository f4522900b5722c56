"""The editor's side of a debugging session: the Debug Adapter Protocol, as far as a breakpoint needs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE_S = 60.0


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class DebugClient:
    """`async with DebugClient(port) as debugger`: attached inside the block, gone after it; the program goes on without."""

    def __init__(self, port: int, *breakpoints: tuple[Path, int]) -> None:
        self._port = port
        self._breakpoints = breakpoints
        self._sent = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._writer: asyncio.StreamWriter
        self._reading: asyncio.Task[None]

    async def __aenter__(self) -> DebugClient:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._reading = asyncio.create_task(self._read(reader))
        await self.ask("initialize", adapterID="python", linesStartAt1=True, columnsStartAt1=True, pathFormat="path")
        attached = asyncio.ensure_future(self.ask("attach", justMyCode=True))
        await self.event("initialized")
        for file in {file for file, _ in self._breakpoints}:
            lines = [{"line": line} for other, line in self._breakpoints if other == file]
            await self.ask("setBreakpoints", source={"path": str(file)}, breakpoints=lines)
        await self.ask("configurationDone")
        await attached
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def ask(self, command: str, **arguments: Any) -> Any:
        """The body of the answer to a request."""
        self._sent += 1
        answer = self._answers[self._sent] = asyncio.get_running_loop().create_future()
        text = json.dumps({"seq": self._sent, "type": "request", "command": command, "arguments": arguments}).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
        message = await asyncio.wait_for(answer, PATIENCE_S)
        assert message["success"], message
        return message.get("body")

    async def event(self, name: str) -> dict[str, Any]:
        """The next event of that name."""
        return await asyncio.wait_for(self._queue(name).get(), PATIENCE_S)

    async def stopped_at(self) -> Stop:
        """Where the program stops next."""
        stopped = await self.event("stopped")
        assert stopped["reason"] == "breakpoint", stopped
        trace = await self.ask("stackTrace", threadId=stopped["threadId"], startFrame=0, levels=1)
        return Stop(self, stopped["threadId"], trace["stackFrames"][0])

    def _queue(self, name: str) -> asyncio.Queue[dict[str, Any]]:
        return self._events.setdefault(name, asyncio.Queue())

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while header := await reader.readuntil(b"\r\n\r\n"):
            size = int(header.lower().partition(b"content-length:")[2].split()[0])
            message = json.loads(await reader.readexactly(size))
            if message["type"] == "response":
                self._answers.pop(message["request_seq"]).set_result(message)
            elif message["type"] == "event":
                self._queue(message["event"]).put_nowait(message.get("body") or {})


class Stop:
    """A thread that stands still at a breakpoint."""

    def __init__(self, client: DebugClient, thread_id: int, frame: dict[str, Any]) -> None:
        self._client = client
        self._thread_id = thread_id
        self._frame = frame

    @property
    def line(self) -> int:
        line: int = self._frame["line"]
        return line

    @property
    def function(self) -> str:
        name: str = self._frame["name"]
        return name

    async def value(self, expression: str) -> str:
        """What an expression is worth there, as the debugger shows it."""
        answer = await self._client.ask("evaluate", expression=expression, frameId=self._frame["id"], context="watch")
        value: str = answer["result"]
        return value

    async def go_on(self) -> None:
        await self._client.ask("continue", threadId=self._thread_id)
