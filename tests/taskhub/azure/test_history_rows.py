from __future__ import annotations

import pytest

from linarite.durable.events import OrchestratorStarted, TaskCompleted
from linarite.errors import HubError
from linarite.storage.tables import Instant, Row, Value
from linarite.taskhub.azure.history_rows import event, event_row, generation, sentinel, transactions
from linarite.taskhub.azure.names import row_key
from linarite.taskhub.azure.spill import compress, decompress, pointers, restored, spilt

AT = "2026-06-24T10:00:00.12Z"


def row(position: int, execution_id: str = "one", **columns: Value) -> Row:
    return Row("p", row_key(position), {"EventType": "OrchestratorStarted", "ExecutionId": execution_id, **columns})


def marker(execution_id: str) -> Row:
    return Row("p", "sentinel", {"ExecutionId": execution_id}, etag="lock")


def test_instants_have_seven_digits_in_rows_and_none_too_many_in_events() -> None:
    made = event_row("p", 3, OrchestratorStarted(timestamp=AT), "one")
    assert made.columns["_Timestamp"] == Instant("2026-06-24T10:00:00.1200000Z")
    assert event(made) == OrchestratorStarted(timestamp=AT)


def test_null_texts_are_absent_columns() -> None:
    made = event_row("p", 3, TaskCompleted(task_scheduled_id=0, timestamp=AT), "one")
    assert "Result" not in made.columns
    assert event(made) == TaskCompleted(task_scheduled_id=0, timestamp=AT)


def test_an_event_of_an_unknown_kind_is_said() -> None:
    with pytest.raises(HubError, match=r"key p holds an event of kind ExecutionRewound in row 0000000000000004"):
        event(row(4, EventType="ExecutionRewound"))


def test_a_generation_ends_where_an_older_one_shows() -> None:
    found = generation([row(0, "two"), row(1, "two"), row(2, "one"), row(3, "two"), marker("two")], None)
    assert (found.execution_id, found.etag, [r.row_key[-1] for r in found.rows]) == ("two", "lock", ["0", "1"])


def test_another_generation_is_none_but_keeps_its_lock() -> None:
    found = generation([marker("two")], "three")
    assert (found.execution_id, found.etag, found.rows) == ("two", "lock", [])


def test_execution_ids_are_compared_without_case() -> None:
    assert len(generation([row(0, "abc"), marker("abc")], "ABC").rows) == 1


def test_an_instance_without_rows_has_no_generation() -> None:
    found = generation([], "one")
    assert (found.execution_id, found.etag, found.rows) == (None, None, [])


def test_a_transaction_holds_99_events() -> None:
    assert [len(batch) for batch in transactions(row(n) for n in range(199))] == [99, 99, 1]


def test_a_transaction_is_closed_at_three_megabytes() -> None:
    rows = [row(n, Input="x" * 30_000, Result="y" * 30_000) for n in range(60)]
    assert [len(batch) for batch in transactions(rows)] == [26, 26, 8]


def test_only_the_last_transaction_completes_the_checkpoint() -> None:
    assert sentinel("p", "one", None).columns == {"ExecutionId": "one"}
    assert sentinel("p", "one", AT).columns["IsCheckpointComplete"] is True


def test_a_long_text_leaves_a_pointer() -> None:
    long = "é" * 30_721
    changed, blobs = spilt(row(5, EventType="TaskCompleted", Result=long, Name="n" * 30_720), lambda: "7B59279A")
    name = "p/history-0000000000000005-TaskCompleted-7B59279A-Result.json.gz"
    assert (changed.columns["Result"], changed.columns["ResultBlobName"], blobs) == ("", name, {name: long})
    assert changed.columns["Name"] == "n" * 30_720
    assert pointers(changed) == {"Result": name}
    assert "ResultBlobName" not in restored(changed, {"Result": long}).columns
    assert restored(changed, {"Result": long}).columns["Result"] == long


def test_surrogate_pairs_count_twice() -> None:
    assert spilt(row(5, Input="😀" * 15_361), lambda: "0")[1]
    assert not spilt(row(5, Input="😀" * 15_360), lambda: "0")[1]


def test_blob_content_is_gzip_of_the_text() -> None:
    assert compress("ü")[:2] == b"\x1f\x8b"
    assert decompress(compress("ü" * 1000)) == "ü" * 1000
