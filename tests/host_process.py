"""A host as a user runs it: `linarite start` in a process of its own, watched through what it prints."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import aiohttp

PATIENCE_S = 60.0


class HostProcess:
    """`async with HostProcess(folder, "--storage", "embedded") as host`: started and listening inside the block, gone after it.

    `program`: what Python runs, if not the package as it is.
    """

    def __init__(
        self,
        folder: Path,
        *flags: str,
        environment: Mapping[str, str] | None = None,
        listens: bool = True,
        program: Sequence[str] = ("-m", "linarite"),
    ) -> None:
        self._folder = folder
        self._flags = flags
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self._environment.pop("VIRTUAL_ENV", None)
        self._listens = listens
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._more = asyncio.Event()
        self.lines: list[str] = []
        self.base_url = ""

    async def __aenter__(self) -> HostProcess:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, *self._program, "start", "--port", "0", *self._flags),
            cwd=self._folder,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        if self._listens:
            try:
                self.base_url = (await self.said(r"Listening on (\S+)\. ")).group(1)
            except BaseException:
                await self.__aexit__(None, None, None)
                raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            self.signal(signal.SIGINT)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._process.wait(), 15)
        if self._process.returncode is None:
            self.kill()
        await self._process.wait()
        await self._reading

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def exit_code(self) -> int:
        """Wait for the end."""
        assert self._process is not None
        assert self._reading is not None
        code = await asyncio.wait_for(self._process.wait(), PATIENCE_S)
        await self._reading
        return code

    async def said(self, pattern: str, since: int = 0) -> re.Match[str]:
        """Wait for a line that matches, from the line with that number on."""
        seen = since
        expression = re.compile(pattern)

        async def look() -> re.Match[str]:
            nonlocal seen
            while True:
                for line in self.lines[seen:]:
                    seen += 1
                    if match := expression.search(line):
                        return match
                assert self._reading is not None
                if self._reading.done():
                    raise AssertionError(f"The host ended without saying {pattern!r}:\n{self.output}")
                self._more.clear()
                await self._more.wait()

        try:
            return await asyncio.wait_for(look(), PATIENCE_S)
        except asyncio.TimeoutError:
            raise AssertionError(f"The host has not said {pattern!r}:\n{self.output}") from None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
            self._more.set()
        self._more.set()


@contextlib.asynccontextmanager
async def client(host: HostProcess) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client below the host's base URL."""
    async with aiohttp.ClientSession(host.base_url) as session:
        yield session


async def fetch(session: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    """Status and text of an answer."""
    async with session.get(path) as answer:
        return answer.status, await answer.text()


async def finished(session: aiohttp.ClientSession, status_url: str) -> dict[str, object]:
    """Follow a status URL until the instance has ended; its last status. The API has nothing to wait on, so it asks again and again."""
    for _ in range(1200):
        async with session.get(status_url) as answer:
            status: dict[str, object] = await answer.json()
            if answer.status == 200:
                return status
        await asyncio.sleep(0.05)
    raise AssertionError(f"not finished: {status}")
