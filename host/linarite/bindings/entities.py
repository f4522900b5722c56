"""Table entities as JSON for functions, and functions' JSON as entities. Pure rules.

Keys in an entity count more than those of the binding, whatever their case. Whole numbers are Edm.Int64. A text that is an instant
becomes Edm.DateTime if the output came as a string, and stays a text if it came as JSON: the Functions host reads the two differently.
Source: Tables extension, TablesExtensionConfigProvider; azure-functions-host, FunctionBinding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from linarite.bindings.newtonsoft import Date, NotJson, Value, compact, converted, looks_like_json, parse
from linarite.errors import AppError
from linarite.invocation import NONE, Datum, json_text
from linarite.storage.tables import Instant, Long, Row, literal
from linarite.storage.tables import Value as Column
from linarite.timestamps import moment, seven_digits, timestamp, trimmed

_NOT_IN_KEYS = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_LEFT_OUT = ("timestamp", "odata.etag", "odata.metadata")


class BadEntity(AppError):
    """A function's output cannot be put into a table."""


def rows_of(output: Datum, table: str, partition_key: str, row_key: str) -> list[Row]:
    """The rows an output becomes; the keys are the binding's, "" for none. Raises BadEntity."""
    if output.kind == "none":
        return []
    value = _parsed(output, table)
    entities = value if isinstance(value, list) else [value]
    return [_row(entity, table, partition_key, row_key, dates=output.kind == "string") for entity in entities]


def _parsed(output: Datum, table: str) -> Value:
    if output.kind not in ("string", "json"):
        raise BadEntity(f"Table '{table}' takes a JSON object or an array of objects, not a value of kind {output.kind}.")
    if output.kind == "string" and not looks_like_json(output.value):
        raise BadEntity(f"Table '{table}' takes a JSON object or an array of objects, found the text {_shown(output.value)}.")
    try:
        return parse(output.value)
    except NotJson as problem:
        raise BadEntity(f"Table '{table}' takes JSON: {_shown(output.value)} is not ({problem}).") from None


def _row(entity: Value, table: str, partition_key: str, row_key: str, *, dates: bool) -> Row:
    if not isinstance(entity, Mapping):
        raise BadEntity(f"Table '{table}' takes JSON objects, found {_shown(compact(entity))}.")
    keys = {"partitionkey": partition_key, "rowkey": row_key}
    columns: dict[str, Column] = {}
    for name, value in entity.items():
        if name.lower() in keys:
            if isinstance(value, Mapping | list):
                raise BadEntity(f"{name} of an entity for table '{table}' must be text, found {_shown(compact(value))}.")
            keys[name.lower()] = converted(value)
        elif value is not None and name.lower() not in _LEFT_OUT:
            columns[name] = _column(name, value, table, dates=dates)
    for name, key in (("PartitionKey", keys["partitionkey"]), ("RowKey", keys["rowkey"])):
        _check_key(name, key, table)
    return Row(keys["partitionkey"], keys["rowkey"], columns)


def _column(name: str, value: Value, table: str, *, dates: bool) -> Column:
    if isinstance(value, Mapping | list) or value is None:
        raise BadEntity(
            f"Property '{name}' of an entity for table '{table}' is {_shown(compact(value))}; a table holds texts, numbers and truth "
            "values. Put it in as text (json.dumps)."
        )
    if isinstance(value, int) and not isinstance(value, bool):
        if not -(2**63) <= value < 2**63:
            raise BadEntity(f"Property '{name}' of an entity for table '{table}' is {value}, which is more than 64 bits hold.")
        return Long(value)
    if isinstance(value, Date):
        return Instant(seven_digits(timestamp(moment(value)))) if dates else str(value)
    return value


def _check_key(name: str, key: str, table: str) -> None:
    if not key:
        raise BadEntity(f"An entity for table '{table}' has no {name}. Set it in the entity, or in the binding.")
    if found := _NOT_IN_KEYS.search(key):
        raise BadEntity(f"{name} {_shown(key)} of an entity for table '{table}' contains {found[0]!r}; keys take no / \\ # ? or controls.")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def condition(partition_key: str, filter_text: str) -> str:
    """The OData condition of a binding that asks for many rows; each part "" for none.

    As upstream there are no parentheses around the filter, so of `a or b` only `a` is held to the partition.
    """
    parts = [f"PartitionKey eq {literal(partition_key)}"] if partition_key else []
    return " and ".join([*parts, filter_text] if filter_text else parts)


def point(partition_key: str, row_key: str) -> str:
    """The OData condition for one row."""
    return f"PartitionKey eq {literal(partition_key)} and RowKey eq {literal(row_key)}"


def entity(row: Row | None) -> Datum:
    """One row as a JSON object, or nothing."""
    return NONE if row is None else json_text(compact(_members(row)))


def entities(rows: list[Row]) -> Datum:
    """Rows as a JSON array."""
    return json_text(compact([_members(row) for row in rows]))


def _members(row: Row) -> Value:
    shown = {name: _readable(value) for name, value in row.columns.items() if name.lower() not in _LEFT_OUT}
    return {"PartitionKey": row.partition_key, "RowKey": row.row_key, **shown}


def _readable(value: Column) -> Value:
    return trimmed(value).removesuffix("Z") + "+00:00" if isinstance(value, Instant) else value
