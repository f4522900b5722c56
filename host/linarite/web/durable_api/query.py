"""Query parameters of the management API: names in any case, repeated values joined by commas, what does not parse is absent.

Source: the Durable extension's HttpApiHandler, as recorded.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from linarite.timestamps import Timestamp, moment, timestamp


class Query:
    """The parameters of one request."""

    def __init__(self, query_string: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query_string.decode("ascii", "replace"), keep_blank_values=True):
            self._values.setdefault(name.lower(), []).append(value)

    def text(self, name: str) -> str | None:
        """The value as given, which may be empty."""
        values = self._values.get(name.lower())
        return None if values is None else ",".join(values)

    def flag(self, name: str, default: bool) -> bool:
        """`true` or `false` in any case; anything else is the default."""
        return {"true": True, "false": False}.get((self.text(name) or "").strip().lower(), default)

    def whole(self, name: str) -> int | None:
        """A whole number."""
        value = (self.text(name) or "").strip()
        return int(value) if re.fullmatch(r"[+-]?[0-9]{1,9}", value) else None

    def seconds(self, name: str) -> float | None:
        """A decimal number."""
        value = (self.text(name) or "").strip()
        return float(value) if re.fullmatch(r"[+-]?([0-9]{1,9}(\.[0-9]*)?|\.[0-9]+)", value) else None

    def instant(self, name: str) -> Timestamp | None:
        """An ISO 8601 date, with or without a time of day; UTC unless it says otherwise."""
        value = (self.text(name) or "").strip()
        if _SHORT_YEAR.match(value):  # Python's strftime leaves out leading zeros of years before 1000
            value = value.rjust(len(value) + 4 - value.index("-"), "0")
        if _DAY.fullmatch(value):
            value += "T00:00:00"
        try:
            return timestamp(moment(value))
        except (ValueError, OverflowError):
            return None

    def names(self, name: str) -> list[str]:
        """The parts of a comma-separated list, blanks left out."""
        return [part.strip() for part in (self.text(name) or "").split(",") if part.strip()]


_SHORT_YEAR = re.compile(r"\d{1,3}-")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
