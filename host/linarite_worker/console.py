"""Stands for `sys.stdout` and `sys.stderr`, so that a print is known to belong to its invocation.

What bypasses Python's streams (C extensions, child processes) still reaches the real ones, which the host reads as well.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import IO, Any, Literal

from linarite_worker import current

EmitText = Callable[[str, str], None]
"""Takes invocation id and one line."""


class Console(io.TextIOBase):
    """A text stream whose whole lines go to the host; the rest of a line waits for its end, or for the end of its invocation.

    `is_shared`: the host lives in this process too, and what it prints goes to `original`.
    """

    def __init__(self, original: IO[str], emit_line: EmitText, *, is_shared: bool = False) -> None:
        super().__init__()
        self.original = original
        self._emit_line = emit_line
        self._is_shared = is_shared
        self._begun: dict[tuple[str, int], str] = {}

    def write(self, text: str) -> int:
        if self._is_shared and not current.is_user_code():
            return self.original.write(text)
        invocation_id = current.invocation_id()
        key = (invocation_id, threading.get_ident())
        if "\n" not in text:
            if text:
                self._begun[key] = self._begun.get(key, "") + text
            return len(text)
        *lines, rest = (self._begun.pop(key, "") + text).split("\n")
        if rest:
            self._begun[key] = rest
        for line in lines:
            self._emit_line(invocation_id, line)
        return len(text)

    def finish(self, invocation_id: str) -> None:
        """Send the unfinished lines of an invocation that is about to end."""
        if self._begun:
            for key in list(self._begun):  # a copy: other threads print meanwhile
                if key[0] == invocation_id and (line := self._begun.pop(key, None)) is not None:
                    self._emit_line(invocation_id, line)

    def flush(self) -> None:
        if not self.original.closed:  # by a test runner, long before the garbage collector comes for this
            self.original.flush()

    def reconfigure(self, **_: Any) -> None:
        """Encoding and buffering are the host's business; apps ask for UTF-8, and that is what they get."""

    def fileno(self) -> int:
        return self.original.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    @property
    def buffer(self) -> Any:
        return getattr(self.original, "buffer")  # noqa: B009  # absent where something else replaced the stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed: a plain attribute
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]  # typeshed: a plain attribute
        return "backslashreplace"


def level_of_stderr(line: str) -> Literal["Information", "Warning", "Error"]:
    """Level the Functions host gives a line on stderr."""
    lower = line.lower()
    if "warn" in lower:
        return "Warning"
    return "Error" if any(word in lower for word in ("error", "fail", "severe")) else "Information"
