"""The Functions runtime's log levels and their numbers in `logging`."""

from __future__ import annotations

LEVELS = {"Trace": 5, "Debug": 10, "Information": 20, "Warning": 30, "Error": 40, "Critical": 50, "None": 60}
"""`None` is above all that is logged."""

_BY_NAME = {name.lower(): level for name, level in LEVELS.items()}


def level_of(name: str) -> int | None:
    """The level of that name, in any case; None if there is none."""
    return _BY_NAME.get(name.strip().lower())


def level_name(level: int) -> str:
    """The runtime's name of a level, e.g. `Information`."""
    return next((name for name, least in reversed(LEVELS.items()) if level >= least and name != "None"), "Trace")
