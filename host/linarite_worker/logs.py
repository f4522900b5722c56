"""Log records of the app, on their way to the host with the invocation they belong to."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from linarite_worker import current

EmitLine = Callable[[str, str, str, str, str], None]
"""Takes invocation id, level, logger, message and origin of one line."""

_LEVELS = ((50, "Critical"), (40, "Error"), (30, "Warning"), (20, "Information"), (10, "Debug"))
_SYSTEM_LOGGERS = ("azure.functions", "azure_functions_worker", "linarite_worker")


def level_name(level: int) -> str:
    """The Functions runtime's name of a logging level."""
    return next((name for value, name in _LEVELS if level >= value), "Trace")


class Forwarding:
    """Every record of user code goes to the host, from now until `end`.

    `is_shared`: the host logs in this process too. Its records pass the forwarding by, and its handlers do not see the app's.
    """

    def __init__(self, emit_line: EmitLine, *, is_shared: bool) -> None:
        root = logging.getLogger()
        self._level = root.level
        self._filtered = list(root.handlers) if is_shared else []
        for handler in self._filtered:
            handler.addFilter(_is_of_host)
        self._handler = _ForwardingHandler(emit_line)
        if is_shared:
            self._handler.addFilter(_is_of_app)
        root.addHandler(self._handler)
        root.setLevel(min(root.level, root_level()) if is_shared else root_level())

    def end(self) -> None:
        """Leave logging as it was."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)
        for handler in self._filtered:
            handler.removeFilter(_is_of_host)


def _is_of_app(record: logging.LogRecord) -> bool:
    return current.is_user_code()


def _is_of_host(record: logging.LogRecord) -> bool:
    return not current.is_user_code()


class _ForwardingHandler(logging.Handler):
    def __init__(self, emit_line: EmitLine) -> None:
        super().__init__()
        self._emit_line = emit_line
        self._traceback = logging.Formatter().formatException

    def emit(self, record: logging.LogRecord) -> None:
        try:
            origin = "system" if record.name.startswith(_SYSTEM_LOGGERS) else "user"
            self._emit_line(current.invocation_id(), level_name(record.levelno), record.name, self._text(record), origin)
        except Exception:
            self.handleError(record)

    def _text(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return f"{text}\n{self._traceback(record.exc_info)}" if record.exc_info and record.exc_info[0] else text


def root_level() -> int:
    """Level of the root logger: INFO, or DEBUG if the app's settings ask for it."""
    wanted = os.environ.get("PYTHON_ENABLE_DEBUG_LOGGING", "").strip().lower()
    return logging.DEBUG if wanted in ("1", "true") else logging.INFO
