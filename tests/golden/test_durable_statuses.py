"""Every status with history that was recorded together with its rows: the same rows give the same body, to the last character."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from linarite.web.durable_api.query import Query
from linarite.web.durable_api.status import status_body, with_history
from tests.golden.recorded_rows import events_of, instance_of

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "data/durable_api/statuses.jsonl").read_text("utf-8").splitlines()]

DIFFERENT = {("subretry", "i-subretry"): "the recording shortened the stack trace in the row, and in another place in the answer"}
"""Scenario and instance, and why our body is another."""


@pytest.mark.parametrize("recorded", RECORDED, ids=[f"{entry['scenario']}:{entry['instance_id'][:20]}" for entry in RECORDED])
def test_a_recorded_instance_is_shown_as_recorded(recorded: dict[str, Any]) -> None:
    query = Query(recorded["query"].encode())
    inputs = query.flag("showInput", True)
    instance = instance_of(recorded["instance"])
    body = with_history(
        status_body(instance, with_input=inputs),
        instance,
        events_of(recorded["history"]),
        inputs=inputs,
        outputs=query.flag("showHistoryOutput", False),
    )
    ours = msgspec.json.encode(body).decode()
    if (recorded["scenario"], recorded["instance_id"]) in DIFFERENT:
        assert ours != recorded["response"]
    else:
        assert ours == recorded["response"]
