"""The terminal: which log lines are shown, and how.

Lines have Core Tools' form, `[2026-01-31T12:00:00.123Z] message`, every line of a text with its own stamp, coloured only on a
terminal. A logger's name is its category; the rules of what is shown by default are Core Tools' too.
Source: azure-functions-core-tools, ColoredConsoleLogger, LoggingFilterHelper; functions-host section 9.5.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
from collections.abc import Mapping
from typing import TextIO

LEVELS = {
    "trace": 5,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}
"""The Functions runtime's levels, by lower-case name."""

ALWAYS_SHOWN = (
    *("Worker process started and initialized.", "Host lock lease acquired by instance ID"),
    *("A debugger can attach on", "Waiting for a debugger to attach on"),
)
"""Beginnings of lines that are shown whatever their level: editors wait for them, or people."""

_SYSTEM_PREFIXES = ("Microsoft.Azure.WebJobs.", "Function.", "Worker.", "Host.")
_COLOURS = ((logging.ERROR, "\x1b[31m"), (logging.WARNING, "\x1b[33m"), (logging.INFO, "\x1b[36m"), (0, "\x1b[32m"))
_GREY, _PLAIN = "\x1b[90m", "\x1b[0m"


class LevelFilter(logging.Filter):
    """Shows a record if its level reaches what its category asks for.

    Functions' own categories follow the user level; the runtime's and this package's the system level. `levels` are host.json's
    `logging.logLevel`: the longest prefix of a category wins, and `default` sets both unless the user level was given.
    """

    def __init__(self, *, user_level: str | None = None, verbose: bool = False, levels: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._given_user = user_level
        self._verbose = verbose
        self.configure(levels or {})

    def configure(self, levels: Mapping[str, str]) -> None:
        """Take over the levels of a (changed) host.json."""
        default = levels.get("default")
        self._user = LEVELS.get((self._given_user or default or "information").lower(), logging.INFO)
        self._system = logging.INFO if self._verbose else LEVELS.get((default or "warning").lower(), logging.WARNING)
        rules = ((name, LEVELS[level.lower()]) for name, level in levels.items() if name != "default" and level.lower() in LEVELS)
        self._rules = sorted(rules, key=lambda rule: -len(rule[0]))
        self._known: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        wanted = self._known.get(record.name)
        if wanted is None:
            wanted = self._known[record.name] = self._level_of(record.name)
        return record.levelno >= wanted or (record.name.startswith(_SYSTEM_PREFIXES) and record.getMessage().startswith(ALWAYS_SHOWN))

    def _level_of(self, category: str) -> int:
        for prefix, level in self._rules:
            if category.startswith(prefix):
                return level
        if category == "Host.Function.Console" or _is_function(category):
            return self._user
        if category.startswith(_SYSTEM_PREFIXES):
            return self._system
        if category.startswith("linarite"):
            return min(self._system, logging.WARNING)
        return logging.WARNING  # libraries: uvicorn, azure, asyncio


def _is_function(category: str) -> bool:
    """`Function.<name>` or `Function.<name>.User`."""
    return category.startswith("Function.") and category.removesuffix(".User").count(".") == 1


class ConsoleHandler(logging.Handler):
    """Writes records to the terminal; what one turn of the event loop logs leaves in one write."""

    def __init__(self, stream: TextIO | None = None, *, as_json: bool = False) -> None:
        super().__init__()
        self._stream = stream or sys.stdout
        self._coloured = not as_json and self._stream.isatty()
        self._as_json = as_json
        self._waiting: list[str] = []
        self._thread = 0
        self.loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on lines leave once a turn of this loop, which runs in this thread."""
        self.loop, self._thread = loop, threading.get_ident()

    def detach(self) -> None:
        """Write what is waiting, and from now on each line at once."""
        self.loop, self._thread = None, 0
        self.flush()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self._json_line(record) if self._as_json else self._lines(record)
        except Exception:
            self.handleError(record)
            return
        self._waiting.append(text)
        if len(self._waiting) == 1:
            if self._thread == threading.get_ident() and self.loop is not None:
                self.loop.call_soon(self.flush)
            elif self.loop is not None and self.loop.is_running():
                self.loop.call_soon_threadsafe(self.flush)
            else:
                self.flush()

    def _lines(self, record: logging.LogRecord) -> str:
        seconds, fraction = divmod(record.created, 1)
        stamp = f"[{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(fraction * 1000):03}Z] "
        body = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            body += (
                f"\n{logging.Formatter().formatException(record.exc_info)}" if self.level <= logging.DEBUG else f" ({record.exc_info[1]})"
            )
        lines = body.splitlines() or [""]
        if not self._coloured:
            return "".join(f"{stamp}{line}\n" for line in lines)
        colour = next(code for level, code in _COLOURS if record.levelno >= level)
        return "".join(f"{_GREY}{stamp}{_PLAIN}{colour}{line}{_PLAIN}\n" for line in lines)

    def _json_line(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": level_name(record.levelno),
            "category": record.name,
            "message": record.getMessage(),
        }
        if invocation_id := getattr(record, "invocation_id", ""):
            line["invocationId"] = invocation_id
        return json.dumps(line, ensure_ascii=False) + "\n"

    def flush(self) -> None:
        """Write what is waiting. A terminal that has gone away is no reason to stop."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            self._stream.write("".join(waiting))
            self._stream.flush()
        except (OSError, ValueError):
            pass


def level_name(level: int) -> str:
    """The Functions runtime's name of a logging level, e.g. `Information`."""
    return next((name.title() for name, value in reversed(LEVELS.items()) if level >= value and name != "none"), "Trace")


def install(handler: ConsoleHandler, levels: LevelFilter) -> None:
    """Make the handler the only one, for everything that logs."""
    handler.addFilter(levels)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS["trace"])
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.logProcesses = logging.logThreads = logging.logMultiprocessing = False  # asked for by no line, and paid for by each
