"""Table inputs and outputs of functions."""

from __future__ import annotations

from linarite.bindings.entities import condition, entities, entity, point, rows_of
from linarite.bindings.protocol import Call
from linarite.bindings.resolver import Resolver, for_binding
from linarite.bindings.table_access import insert, read, table_name
from linarite.errors import AppError
from linarite.invocation import Datum
from linarite.metadata import Binding


class TableBinding:
    """Reads one row by its keys or many by a filter, as JSON; inserts rows."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def read(self, binding: Binding, call: Call) -> Datum:
        """See `InputBinding`. With both keys one row, `none` if it is not there; else an array."""
        return await for_binding(binding, self._read(binding, call))

    async def write(self, binding: Binding, value: Datum, call: Call) -> None:
        """See `OutputBinding`."""
        await for_binding(binding, self._write(binding, value, call))

    async def _read(self, binding: Binding, call: Call) -> Datum:
        table, storage = table_name(self._resolver.text(binding, "tableName", call)), self._resolver.storage(binding)
        partition_key, row_key = (self._resolver.text(binding, name, call) for name in ("partitionKey", "rowKey"))
        if partition_key and row_key:
            rows = await read(storage, table, point(partition_key, row_key), 1)
            return entity(rows[0] if rows else None)
        wanted = condition(partition_key, self._resolver.odata(binding, "filter", call))
        return entities(await read(storage, table, wanted, _take(binding)))

    async def _write(self, binding: Binding, value: Datum, call: Call) -> None:
        table, storage = table_name(self._resolver.text(binding, "tableName", call)), self._resolver.storage(binding)
        partition_key, row_key = (self._resolver.text(binding, name, call) for name in ("partitionKey", "rowKey"))
        await insert(storage, table, rows_of(value, table, partition_key, row_key))


class BadTake(AppError):
    """`take` of a table input is no number."""


def _take(binding: Binding) -> int:
    text = binding.text("take", "0")
    try:
        return max(int(text), 0)
    except ValueError:
        raise BadTake(f"take is '{text}'; expected how many rows to read at most, such as 50.") from None
