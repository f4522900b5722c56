"""The terminal: which log lines are shown, and how.

Lines have Core Tools' form, `[2026-01-31T12:00:00.123Z] message`, every line of a text with its own stamp, coloured only on a
terminal; or each is a JSON object. A logger's name is its category; the rules of what is shown by default are Core Tools' too.
Source: azure-functions-core-tools, ColoredConsoleLogger, LoggingFilterHelper; functions-host section 9.5.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
import time
from collections.abc import Mapping
from typing import TextIO

from linarite.cli.levels import LEVELS, level_name

ALWAYS_SHOWN = (
    *("Worker process started and initialized.", "Host lock lease acquired by instance ID"),
    "Starting Azurite",
    *("A debugger can attach on", "Waiting for a debugger to attach on"),
)
"""Beginnings of lines that are shown whatever their level: editors wait for them, or people."""

_SYSTEM_PREFIXES = ("Microsoft.Azure.WebJobs.", "Function.", "Worker.", "Host.")
_COLOURS = ((logging.ERROR, "\x1b[31m"), (logging.WARNING, "\x1b[33m"), (logging.INFO, "\x1b[36m"), (0, "\x1b[32m"))
_GREY, _PLAIN = "\x1b[90m", "\x1b[0m"


class LevelFilter(logging.Filter):
    """Shows a record if its level reaches what its category asks for.

    Functions' own categories follow the user level; the runtime's and this package's the system level.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        super().__init__()
        self._verbose = verbose
        self.configure({})

    def configure(self, levels: Mapping[str, str], user_level: int | None = None) -> None:
        """Take over the levels of (changed) settings.

        `levels` are host.json's `logging.logLevel`, names in any case: the longest prefix of a category wins, and `default` sets both
        levels unless the user's is given. Asked to be verbose, the system shows information at least.
        """
        by_name = {name.lower(): LEVELS[level] for name, level in levels.items()}
        default = by_name.pop("default", None)
        self._user = next((level for level in (user_level, default) if level is not None), logging.INFO)
        self._system = default if default is not None else logging.WARNING
        if self._verbose:
            self._system = min(self._system, logging.INFO)
        self._rules = sorted(by_name.items(), key=lambda rule: -len(rule[0]))
        self._known: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        wanted = self._known.get(record.name)
        if wanted is None:
            wanted = self._known[record.name] = self._level_of(record.name)
        return record.levelno >= wanted or (record.name.startswith(_SYSTEM_PREFIXES) and record.getMessage().startswith(ALWAYS_SHOWN))

    def _level_of(self, category: str) -> int:
        for prefix, level in self._rules:
            if category.lower().startswith(prefix):
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
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="backslashreplace")  # rather than to lose a line that the terminal cannot show
        self._coloured = not as_json and self._stream.isatty()
        self._as_json = as_json
        self._waiting: list[str] = []
        self._writing = threading.Lock()
        self._thread = 0
        self._second, self._text_of_second = 0, ""
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
        with self._writing:
            self._waiting.append(text)
            is_first = len(self._waiting) == 1
        if is_first:
            if self._thread == threading.get_ident() and self.loop is not None:
                self.loop.call_soon(self.flush)
            elif self.loop is not None and self.loop.is_running():
                self.loop.call_soon_threadsafe(self.flush)
            else:
                self.flush()

    def _lines(self, record: logging.LogRecord) -> str:
        stamp = f"[{self._stamp(record)}] "
        lines = [line.rstrip("\r") for line in _text(record).removesuffix("\n").split("\n")]
        if not self._coloured:
            return "".join(f"{stamp}{line}\n" for line in lines)
        colour = next(code for level, code in _COLOURS if record.levelno >= level)
        return "".join(f"{_GREY}{stamp}{_PLAIN}{colour}{line}{_PLAIN}\n" for line in lines)

    def _stamp(self, record: logging.LogRecord) -> str:
        second = int(record.created)
        if second != self._second:  # lines come in swarms
            self._second, self._text_of_second = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text_of_second}.{int(record.msecs):03}Z"

    def _json_line(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": self._stamp(record),
            "level": level_name(record.levelno),
            "category": record.name,
            "message": _text(record),
        }
        if invocation_id := getattr(record, "invocation_id", ""):
            line["invocationId"] = invocation_id
        return json.dumps(line) + "\n"

    def flush(self) -> None:
        """Write what is waiting. A terminal that has gone away is no reason to stop."""
        with self._writing:
            waiting, self._waiting = self._waiting, []
            if not waiting:
                return
            try:
                self._stream.write("".join(waiting))
                self._stream.flush()
            except (OSError, ValueError):
                pass


def _text(record: logging.LogRecord) -> str:
    """The message; an exception of ours with its traceback."""
    text = record.getMessage()
    return f"{text}\n{_traceback(record.exc_info)}" if record.exc_info and record.exc_info[1] is not None else text


_traceback = logging.Formatter().formatException


def install(handler: ConsoleHandler, levels: LevelFilter) -> None:
    """Make the handler the only one, for everything that logs."""
    handler.addFilter(levels)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS["Trace"])
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.logProcesses = logging.logThreads = logging.logMultiprocessing = False  # asked for by no line, and paid for by each
