"""What a rewind writes, against what the reference wrote over the same rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from linarite.storage.tables import Row, decode_row, encode_row
from linarite.taskhub.azure.history_rows import generation
from linarite.taskhub.azure.rewind import plan
from tests.golden.test_azure_wire import as_row

SCENARIOS = [json.loads(line) for line in (Path(__file__).parent / "data" / "wire" / "rewind.jsonl").read_text("utf-8").splitlines()]


def rewound(rows: list[Row], instance_key: str) -> list[Row]:
    """Everything a rewind of the instance writes, children included, in order."""
    own = [row for row in rows if row.partition_key == instance_key]
    written: list[Row] = []
    for step in plan(generation(own, None).rows):
        written += rewound(rows, step) if isinstance(step, str) else [step]
    return written


@pytest.mark.parametrize(("scenario", "before", "expected"), SCENARIOS)
def test_a_rewind_writes_what_the_reference_writes(scenario: str, before: list[Any], expected: list[Any]) -> None:
    rows = [as_row(row) for row in before]
    written = rewound(rows, rows[0].partition_key)
    assert len(expected) > 2
    assert [decode_row(json.loads(encode_row(row))) for row in written] == [decode_row(row) for row in expected]
