"""Entities to and from JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linarite.bindings.entities import BadEntity, condition, entities, entity, point, rows_of
from linarite.bindings.table_access import BadTableName, batches, table_name
from linarite.invocation import NONE, Datum, json_text, string
from linarite.storage.tables import Instant, Long, Row


def only(output: Datum, partition_key: str = "p", row_key: str = "r") -> Row:
    [row] = rows_of(output, "T", partition_key, row_key)
    return row


def test_keys_in_the_entity_count_more_than_those_of_the_binding() -> None:
    row = only(json_text('{"partitionkey": "mine", "ROWKEY": 7, "x": 1}'))
    assert (row.partition_key, row.row_key, row.columns) == ("mine", "7", {"x": Long(1)})
    assert (only(json_text("{}")).partition_key, only(json_text("{}")).row_key) == ("p", "r")


def test_types_of_columns() -> None:
    columns = only(json_text('{"t": "é", "n": 5, "f": 1.0, "b": true, "nothing": null}')).columns
    assert {name: (type(value), value) for name, value in columns.items()} == {
        "t": (str, "é"),
        "n": (Long, 5),
        "f": (float, 1.0),
        "b": (bool, True),
    }


def test_instants_in_a_string_are_dates_and_in_json_are_text() -> None:
    text = '{"when": "2020-01-02T03:04:05.5+02:00"}'
    assert only(string(text)).columns == {"when": Instant("2020-01-02T01:04:05.5000000Z")}
    assert isinstance(only(string(text)).columns["when"], Instant)
    assert type(only(json_text(text)).columns["when"]) is str


def test_an_array_is_many_rows_and_none_is_none() -> None:
    rows = rows_of(string('[{"RowKey": "1"}, {"RowKey": "2"}]'), "T", "p", "")
    assert [row.row_key for row in rows] == ["1", "2"]
    assert rows_of(NONE, "T", "p", "r") == []


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (string("text"), "found the text 'text'"),
        (string("{broken}"), "is not"),
        (json_text("5"), "takes JSON objects, found '5'"),
        (json_text('["x"]'), "takes JSON objects"),
        (Datum("bytes", b"{}"), "not a value of kind bytes"),
        (json_text('{"o": {"x": 1}}'), "Property 'o'.*json.dumps"),
        (json_text('{"l": []}'), "Property 'l'"),
        (json_text('{"n": 9223372036854775808}'), "64 bits"),
        (json_text('{"RowKey": "a/b"}'), "contains '/'"),
        (json_text('{"RowKey": {}}'), "must be text"),
        (json_text('{"RowKey": null}'), "has no RowKey"),
    ],
)
def test_what_is_no_entity(output: Datum, said: str) -> None:
    with pytest.raises(BadEntity, match=said):
        rows_of(output, "T", "p", "r")


def test_keys_are_needed() -> None:
    with pytest.raises(BadEntity, match=r"no PartitionKey\. Set it in the entity, or in the binding"):
        rows_of(json_text("{}"), "T", "", "r")


def members(datum: Datum) -> Any:
    assert datum.kind == "json"
    return json.loads(datum.value)


def test_a_row_as_json() -> None:
    row = Row("p", "r", {"Timestamp": Instant("2026-01-01T00:00:00.0000000Z"), "n": Long(5), "d": Instant("2020-01-02T03:04:05.5000000Z")})
    assert members(entity(row)) == {"PartitionKey": "p", "RowKey": "r", "n": 5, "d": "2020-01-02T03:04:05.5+00:00"}
    assert entity(None) == NONE
    assert members(entities([row, row]))[1]["n"] == 5
    assert entities([]) == json_text("[]")


def test_conditions() -> None:
    assert condition("", "") == ""
    assert condition("o'brien", "") == "PartitionKey eq 'o''brien'"
    assert condition("p", "a eq 1 or b eq 2") == "PartitionKey eq 'p' and a eq 1 or b eq 2"
    assert condition("", "a eq 1") == "a eq 1"
    assert point("p", "o'r") == "PartitionKey eq 'p' and RowKey eq 'o''r'"


def test_batches_have_one_partition_and_no_key_twice() -> None:
    rows = [Row("p", str(number), {}) for number in range(150)] + [Row("q", "0", {}), Row("q", "0", {})]
    made = batches(rows)
    assert sorted(len(batch) for batch in made) == [1, 1, 50, 100]
    assert all(len({row.partition_key for row in batch}) == 1 for batch in made)
    assert sorted(row.row_key for batch in made for row in batch) == sorted(row.row_key for row in rows)


def test_table_names() -> None:
    assert table_name("Orders2") == "Orders2"
    for name in ("a", "2orders", "my-table", "", "x" * 64):
        with pytest.raises(BadTableName):
            table_name(name)
