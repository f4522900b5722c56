"""The durable client against recordings of the real extension: binding values, and every HTTP exchange."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from linarite.web.durable_api.urls import Webhook, client_binding

DATA = Path(__file__).parent / "data" / "durable_api"


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


@pytest.mark.parametrize("binding", recorded("bindings.jsonl"), ids=lambda binding: binding["function"])
def test_a_binding_has_the_recorded_value(binding: dict[str, Any]) -> None:
    value = binding["value"]
    webhook = Webhook(base_url="http://localhost:7071/runtime/webhooks/durabletask", hub=value["taskHubName"], key_query="code=testkey")
    ours = client_binding(webhook, "http://127.0.0.1:17071/durabletask/")
    assert ours == json.dumps(value, separators=(",", ":"))
