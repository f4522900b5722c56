"""Host ids, and task hub names as recorded for the real extension."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from linarite.identity import BadTaskHubName, host_id, task_hub_name
from linarite.settings import AppSettings

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "golden/data/extension/startup.jsonl").read_text("utf-8").splitlines()]
HUBS = [start for start in RECORDED if not start["name"].startswith("opt_")]


@pytest.mark.parametrize("start", HUBS, ids=[start["name"] for start in HUBS])
def test_the_hub_is_that_of_the_real_extension(start: dict[str, Any]) -> None:
    configured = start["options"].removeprefix("HubName=") if "options" in start else None
    settings = AppSettings(start.get("environment", {}))

    if "message" in start:
        with pytest.raises(BadTaskHubName) as caught:
            task_hub_name(configured, settings)
        assert str(caught.value) == start["message"]
    else:
        assert task_hub_name(configured, settings) == (start["hub"], start.get("warning"))


@pytest.mark.parametrize(
    ("machine", "folder", "expected"),
    [
        ("vm", "", "vm-23"),
        ("vm", "a", "vm-810"),  # 23 * 31 + 97
        ("My-Machine.example.org", "ab", "mymachine-25208"),  # 810 * 31 + 98
        ("vm", "zzzzzzzz", "vm-531802601"),  # wraps around 32 bits
        ("a-rather-long-name-of-a-machine-indeed", "/home/me/app", "aratherlongnameofamachineindeed"),
    ],
)
def test_the_host_id_is_made_of_machine_and_folder(machine: str, folder: str, expected: str) -> None:
    assert host_id(AppSettings({}), machine, folder) == expected


def test_a_host_id_that_is_set_counts() -> None:
    assert host_id(AppSettings({"AzureFunctionsWebHost__hostid": "mine"}), "vm", "/app") == "mine"
