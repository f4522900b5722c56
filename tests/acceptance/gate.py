"""A gate at which functions wait until the test lets them through: a line to the test's own process, so that both see what happens."""

from __future__ import annotations

import asyncio
from types import TracebackType

from tests.host_process import PATIENCE_S

WAIT_AT_THE_GATE = '''
def wait_at_the_gate(who: str) -> str:
    """Wait for the test to let `who` through; returns what it says."""
    import os
    import socket

    with socket.create_connection(("127.0.0.1", int(os.environ["GATE"]))) as line:
        line.sendall(who.encode())
        return line.recv(1000).decode()
'''
"""Source of what an app calls."""


class Gate:
    """`async with Gate() as gate`; the host needs `gate.environment`."""

    def __init__(self) -> None:
        self._server: asyncio.Server
        self._waiting: asyncio.Queue[tuple[str, asyncio.StreamWriter]] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Gate:
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", 0)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    @property
    def environment(self) -> dict[str, str]:
        return {"GATE": str(self._server.sockets[0].getsockname()[1])}

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        who = (await reader.read(1000)).decode()
        self._waiting.put_nowait((who, writer))

    async def visitor(self, who: str) -> Visitor:
        """The next to wait, which must be `who`."""
        found, writer = await asyncio.wait_for(self._waiting.get(), PATIENCE_S)
        assert found == who
        return Visitor(writer)

    @property
    def is_deserted(self) -> bool:
        """Whether nobody has come whom `visitor` has not returned."""
        return self._waiting.empty()


class Visitor:
    """A call that waits."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def let_through(self, word: str = "through") -> None:
        """Let it go on, with this word."""
        self._writer.write(word.encode())
        self._writer.close()
