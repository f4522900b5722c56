from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from linarite.azurite import Ports
from linarite.errors import InvalidConnectionString, OperatorError
from linarite.settings import AppSettings
from linarite.storage_resolution import resolve

REAL = "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"


@contextlib.asynccontextmanager
async def listening(count: int) -> AsyncIterator[Ports]:
    """Three ports, the first `count` of which answer."""
    servers = [await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) for _ in range(3)]
    ports = Ports(*(server.sockets[0].getsockname()[1] for server in servers))
    for server in servers[count:]:
        server.close()
        await server.wait_closed()
    yield ports
    for server in servers[:count]:
        server.close()
        await server.wait_closed()


def settings(connection: str, **more: str) -> AppSettings:
    return AppSettings({"AzureWebJobsStorage": connection, **more})


async def test_no_connection_means_the_embedded_store(tmp_path: Path) -> None:
    choice = await resolve(AppSettings({}), None, tmp_path)
    assert choice.is_embedded
    assert choice.reason == "AzureWebJobsStorage is not set"


async def test_an_azurite_that_answers_is_used(tmp_path: Path) -> None:
    async with listening(3) as ports:
        choice = await resolve(settings(ports.connection_string()), "auto", tmp_path)
    assert (choice.kind, choice.connection) == ("azurite", ports.connection_string())


async def test_an_azurite_that_does_not_answer_means_the_embedded_store(tmp_path: Path) -> None:
    async with listening(0) as ports:
        choice = await resolve(settings(ports.connection_string()), "auto", tmp_path)
    assert choice.is_embedded
    assert choice.reason == f"nothing listens on port {ports.queue}"


async def test_half_an_azurite_is_an_error_that_names_the_silent_port(tmp_path: Path) -> None:
    async with listening(2) as ports:
        with pytest.raises(OperatorError, match=f"nothing listens on port {ports.table}"):
            await resolve(settings(ports.connection_string()), "auto", tmp_path)


async def test_a_real_account_is_used_unasked(tmp_path: Path) -> None:
    choice = await resolve(settings(REAL), None, tmp_path)
    assert (choice.kind, choice.connection) == ("account", REAL)
    assert "c2VjcmV0" not in choice.reason


async def test_embedded_can_be_forced_by_flag_and_by_setting(tmp_path: Path) -> None:
    assert (await resolve(settings(REAL), "embedded", tmp_path)).is_embedded
    assert (await resolve(settings(REAL, LINARITE_STORAGE="Embedded"), None, tmp_path)).is_embedded


async def test_a_mode_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="LINARITE_STORAGE is 'disk'; it takes auto, embedded or azurite"):
        await resolve(settings(REAL, LINARITE_STORAGE="disk"), None, tmp_path)


async def test_azurite_cannot_be_forced_on_a_real_account(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="names the account contoso"):
        await resolve(settings(REAL), "azurite", tmp_path)


async def test_a_malformed_connection_string_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidConnectionString, match="AzureWebJobsStorage"):
        await resolve(settings("nonsense"), None, tmp_path)


@pytest.mark.azurite
@pytest.mark.usefixtures("azurite")
async def test_azurite_is_started_where_storage_is_needed_and_nobody_listens(tmp_path: Path) -> None:
    async with listening(0) as ports:
        pass
    choice = await resolve(settings(ports.connection_string()), "auto", tmp_path, needs_storage=True)
    assert choice.started is not None
    try:
        assert choice.started.ports == ports
        assert choice.connection == ports.connection_string()
        assert (tmp_path / ".linarite" / "azurite").is_dir()
    finally:
        await choice.started.stop()
