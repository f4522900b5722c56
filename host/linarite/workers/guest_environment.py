"""Environment variables of apps that are guests in this process: each sees its own settings over what the process has.

`os.environ` stays the object it is, so whoever imported it has the right one; while there are guests it answers by the context that asks.
What an app sets or deletes concerns that app alone. Threads that an app starts itself, and child processes, see the process's variables.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar

_here: ContextVar[GuestEnvironment | None] = ContextVar("environment", default=None)
_guests = 0
_counting = threading.Lock()


class GuestEnvironment:
    """One app's variables. `first` are over the process's, `last` are for what the process does not have, or has empty."""

    def __init__(self, first: Mapping[str, str], last: Mapping[str, str]) -> None:
        self._own: dict[str, str | None] = dict(first)
        self._last = dict(last)

    def enter(self) -> None:
        """Be looked up in the contexts that use it."""
        global _guests
        with _counting:
            _guests += 1
            os.environ.__class__ = _ByContext

    def leave(self) -> None:
        """Be looked up no more; the last guest leaves `os.environ` as it was."""
        global _guests
        with _counting:
            _guests -= 1
            if not _guests:
                os.environ.__class__ = os._Environ

    def use(self) -> None:
        """Let code in the running context see these variables."""
        _here.set(self)

    def get(self, name: str, outside: str | None) -> str | None:
        """A value, given the process's."""
        if name in self._own:
            return self._own[name]
        return outside or self._last.get(name, outside)

    def set(self, name: str, value: str | None) -> None:
        """Set or, with None, delete."""
        self._own[name] = value

    def names(self, outside: Iterable[str]) -> Iterator[str]:
        """All names that have a value, once each."""
        names = dict.fromkeys((*self._own, *outside, *self._last))
        return (name for name in names if self._own.get(name, "") is not None)


class _ByContext(os._Environ[str]):
    """What `os.environ` is while there are guests."""

    def __getitem__(self, key: str) -> str:
        if (environment := _here.get()) is None:
            return super().__getitem__(key)
        try:
            outside = super().__getitem__(key)
        except KeyError:
            outside = None
        if (found := environment.get(key, outside)) is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: str) -> None:
        if (environment := _here.get()) is None:
            super().__setitem__(key, value)
        elif not isinstance(value, str):
            raise TypeError(f"str expected, not {type(value).__name__}")
        else:
            environment.set(key, value)

    def __delitem__(self, key: str) -> None:
        if (environment := _here.get()) is None:
            super().__delitem__(key)
        else:
            self[key]  # a KeyError if there is none
            environment.set(key, None)

    def __iter__(self) -> Iterator[str]:
        environment = _here.get()
        return super().__iter__() if environment is None else environment.names(super().__iter__())

    def __len__(self) -> int:
        return super().__len__() if _here.get() is None else sum(1 for _ in self)
