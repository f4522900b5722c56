"""HTTPS with a certificate of our own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from linarite.web.certificate import VALID_FOR, local_certificate
from linarite.web.server import WebServer
from tests.web.calls import site, web

NOW = datetime.now(timezone.utc)


def test_a_certificate_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = local_certificate(tmp_path / ".linarite", NOW)
    content = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert local_certificate(tmp_path / ".linarite", NOW).read_bytes() == content


@pytest.mark.parametrize("spoilt", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_that_is_no_certificate_is_replaced(tmp_path: Path, spoilt: bytes) -> None:
    path = local_certificate(tmp_path, NOW)
    path.write_bytes(spoilt)
    local_certificate(tmp_path, NOW)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(path)


def test_a_certificate_that_ends_soon_is_replaced(tmp_path: Path) -> None:
    first = local_certificate(tmp_path, NOW).read_bytes()
    assert local_certificate(tmp_path, NOW + VALID_FOR - timedelta(days=8)).read_bytes() == first
    assert local_certificate(tmp_path, NOW + VALID_FOR - timedelta(days=6)).read_bytes() != first


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_a_client_that_trusts_it_is_served(tmp_path: Path, name: str) -> None:
    certificate = local_certificate(tmp_path, NOW)
    server = WebServer(web(site(), tmp_path), certificate=certificate)
    listening = socket.create_server(("127.0.0.1", 0))
    await server.start(listening)
    trusting = ssl.create_default_context(cafile=certificate)
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.getsockname()[1], ssl=trusting, server_hostname=name)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()
        await writer.wait_closed()
        await server.stop()
