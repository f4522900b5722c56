"""What tests of whole hosts share: an app's gate, and a host's storage."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from linarite.azurite import Ports
from tests.acceptance.gate import Gate

Storage = tuple[tuple[str, ...], dict[str, str]]
"""Flags and environment of a host."""


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    async with Gate() as gate:
        yield gate


@pytest.fixture(params=["embedded", pytest.param("azurite", marks=pytest.mark.azurite)])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Either hub, with a task hub of the test's own."""
    flags = ("--storage", request.param)
    if request.param == "embedded":
        return flags, {}
    ports: Ports = request.getfixturevalue("azurite")
    hub = {"AzureFunctionsJobHost__extensions__durableTask__hubName": f"Test{os.urandom(6).hex()}"}
    return flags, {"AzureWebJobsStorage": ports.connection_string(), **hub}
