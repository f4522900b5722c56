from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from linarite.web.server import Connection, State, WebServer


class Doorstep:
    """An app that lets nobody in before `door` is set; with `begins`, it greets first."""

    def __init__(self, *, begins: bool = False) -> None:
        self.begins = begins
        self.door = asyncio.Event()
        self.knocked = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.begins:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        self.knocked.set()
        await self.door.wait()
        if not self.begins:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def serving(app: Doorstep) -> tuple[WebServer, str]:
    server = WebServer(app)
    bound = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    await server.start(bound)
    return server, url


async def get(session: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
    async with session.get(url) as answer:
        return answer.status, await answer.read()


async def test_a_server_that_stops_answers_who_is_there_and_refuses_who_comes(session: aiohttp.ClientSession) -> None:
    app = Doorstep()
    server, url = await serving(app)
    early = asyncio.ensure_future(get(session, url))
    await app.knocked.wait()
    stopping = asyncio.ensure_future(server.stop(60))
    await asyncio.sleep(0)
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(session, url)
    app.door.set()
    assert await early == (200, b"hello")
    await stopping


async def test_a_connection_that_idles_keeps_no_server_from_stopping(session: aiohttp.ClientSession) -> None:
    app = Doorstep()
    app.door.set()
    server, url = await serving(app)
    await get(session, url)
    await server.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(session, url)


@pytest.mark.parametrize("begins", [False, True], ids=["before the answer", "within the answer"])
async def test_what_is_cut_short_is_told_and_printed_by_nobody(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, begins: bool
) -> None:
    app = Doorstep(begins=begins)
    server, url = await serving(app)
    request = asyncio.ensure_future(get(session, url))
    await app.knocked.wait()
    with caplog.at_level(logging.WARNING):
        await server.stop(0)
    if begins:
        with pytest.raises(aiohttp.ClientPayloadError):
            await request
    else:
        assert await request == (503, b"")
    assert caplog.records == []


async def test_patience_can_be_taken_back(session: aiohttp.ClientSession) -> None:
    app = Doorstep()
    server, url = await serving(app)
    request = asyncio.ensure_future(get(session, url))
    await app.knocked.wait()
    patient = asyncio.ensure_future(server.stop())
    await asyncio.sleep(0)
    patient.cancel()
    await asyncio.wait({patient})
    await server.stop(0)
    assert await request == (503, b"")


async def test_an_answer_leaves_in_one_piece() -> None:
    app = Doorstep()
    app.door.set()
    server, url = await serving(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    for _ in range(20):
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await reader.read(65536)).endswith(b"\r\n\r\nhello")
    writer.close()
    await server.stop()


async def test_a_head_whose_body_is_long_in_coming_is_sent_ahead() -> None:
    app = Doorstep(begins=True)
    server, url = await serving(app)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    app.door.set()
    assert await reader.read() == b"hello"
    writer.close()
    await server.stop()


async def test_who_was_on_the_doorstep_when_the_door_was_shut_is_sent_away() -> None:
    config = uvicorn.Config(Doorstep(), http=Connection, log_config=None, ws="none", lifespan="off")
    config.load()
    state = State()
    state.is_refusing = True
    ours, theirs = socket.socketpair()
    await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(config, state, {}), ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
