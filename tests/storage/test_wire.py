"""What the bare client does when the service is away or busy; a small server plays the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from linarite.errors import StorageRefused, StorageUnavailable
from linarite.storage import wire
from linarite.storage.connection import EMULATOR_KEY, Account
from linarite.storage.wire import Wire


@asynccontextmanager
async def service(answer: Callable[[], web.Response]) -> AsyncIterator[tuple[Wire, list[web.BaseRequest]]]:
    """A wire to a server that answers every request with `answer()`, and the requests it got."""
    asked: list[web.BaseRequest] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        asked.append(request)
        return answer()

    async with served(handle) as client:
        yield client, asked


@asynccontextmanager
async def served(handle: Callable[[web.BaseRequest], Awaitable[web.Response]]) -> AsyncIterator[Wire]:
    """A wire to a server with this handler."""
    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/shop"
    client = Wire(Account("shop", address, address, address, EMULATOR_KEY))
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ATTEMPTS", (0.0, 0.0))


async def test_a_busy_service_is_asked_again() -> None:
    statuses = iter([503, 500, 204])
    async with service(lambda: web.Response(status=next(statuses))) as (client, asked):
        assert (await client.send("queue", "PUT", "jobs")).status == 204
    assert len(asked) == 3


async def test_a_service_that_stays_busy_is_unavailable() -> None:
    async with service(lambda: web.Response(status=503, headers={"x-ms-error-code": "ServerBusy"})) as (client, _):
        with pytest.raises(StorageUnavailable, match="HTTP 503 ServerBusy"):
            await client.send("queue", "PUT", "jobs")


async def test_a_refusal_is_not_asked_again() -> None:
    body = b'{"odata.error": {"code": "EntityAlreadyExists", "message": {"value": "x"}}}'
    async with service(lambda: web.Response(status=409, body=body)) as (client, asked):
        with pytest.raises(StorageRefused, match="409 EntityAlreadyExists to POST Orders"):
            await client.send("table", "POST", "Orders", body=b"{}", content_type="application/json")
    assert len(asked) == 1


async def test_nobody_listening_is_said_with_account_and_address() -> None:
    address = "http://127.0.0.1:9/devstoreaccount1"
    client = Wire(Account("devstoreaccount1", address, address, address, EMULATOR_KEY))
    with pytest.raises(StorageUnavailable, match=r"devstoreaccount1 at http://127\.0\.0\.1:9/.*refused.*Start Azurite there"):
        await client.send("queue", "PUT", "jobs")
    await client.close()


async def test_in_a_hurry_a_silent_service_is_asked_once_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HURRY_S", 0.05)
    asked: list[web.BaseRequest] = []
    door = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.Response:
        asked.append(request)
        await door.wait()
        return web.Response()

    async with served(handle) as client:
        client.hurry()
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                await client.send("queue", "PUT", "jobs")
        door.set()
    assert len(asked) == 1


async def test_in_a_hurry_a_busy_service_is_asked_once() -> None:
    async with service(lambda: web.Response(status=503)) as (client, asked):
        client.hurry()
        with pytest.raises(StorageUnavailable):
            await client.send("queue", "PUT", "jobs")
    assert len(asked) == 1


async def test_a_signature_is_appended_where_there_is_no_key() -> None:
    async with service(lambda: web.Response(status=200)) as (client, asked):
        url = client.account.queue_url
        signed = Wire(Account("shop", url, url, url, sas="sv=2021&sig=a%2Bb"))
        await signed.send("queue", "GET", "jobs/messages", query={"numofmessages": "1"})
        await signed.close()
    assert asked[0].rel_url.raw_path_qs == "/shop/jobs/messages?numofmessages=1&sv=2021&sig=a%2Bb"
    assert "Authorization" not in asked[0].headers
