"""What an app sees of the process that it shares with its host.

Either the process is the app's for a time, as its own process would be (`OwnWorld`), or the app is one guest of several (`GuestWorld`),
and the process itself, its environment, working directory and output, stays as it is.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import Context
from pathlib import Path
from typing import Protocol

from linarite.errors import InternalError
from linarite.workers.guest_environment import GuestEnvironment
from linarite.workers.guest_modules import GuestModules, Modules
from linarite_worker import current

_owned = threading.Lock()


class World(Protocol):
    """Entered before the app is loaded, left after its code has ended."""

    captures: bool
    """Whether what the app logs and prints goes to the host, or where the process's own lines go."""

    def enter(self) -> None: ...

    def leave(self) -> None: ...

    def context(self) -> Context:
        """What the app's code runs in."""
        ...

    def importing(self) -> AbstractContextManager[None]:
        """Where the app is loaded."""
        ...


class OwnWorld:
    """The process, lent to one app. `environment` is laid over the process's own."""

    captures = True

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._before: tuple[dict[str, str], str, list[str], set[str]] | None = None
        self._others: Modules = {}

    def enter(self) -> None:
        """Raises InternalError if another app has the process."""
        if not _owned.acquire(blocking=False):
            raise InternalError("A worker is up in this process already; stop it first, or use child processes.")
        self._before = (dict(os.environ), os.getcwd(), list(sys.path), set(sys.modules))
        try:
            os.chdir(self._folder)
        except OSError:
            _owned.release()
            raise
        os.environ.update(self._environment)
        self._others = GuestModules(self._folder).take_others()
        packages = self._folder / ".python_packages" / "lib" / "site-packages"
        sys.path[:0] = [str(self._folder), *([str(packages)] if packages.is_dir() else [])]

    def leave(self) -> None:
        """Put everything back."""
        assert self._before is not None
        environment, folder, path, modules = self._before
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if self._is_of_app(getattr(sys.modules[name], "__file__", None)):
                del sys.modules[name]  # the next app has a function_app of its own
        sys.modules.update(self._others)
        importlib.invalidate_caches()
        _owned.release()

    def context(self) -> Context:
        return current.app_context()

    def importing(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def _is_of_app(self, file: str | None) -> bool:
        return file is not None and file.startswith(str(self._folder) + os.sep) and "site-packages" not in Path(file).parts


class GuestWorld:
    """One app of several. `settings` are over the process's variables, the rest of `environment` is below them."""

    captures = False

    def __init__(self, folder: Path, settings: Mapping[str, str], environment: Mapping[str, str]) -> None:
        own = {name: value for name, value in environment.items() if not os.environ.get(name)}
        self._environment = GuestEnvironment(settings, own)
        self._modules = GuestModules(folder)

    def enter(self) -> None:
        self._environment.enter()
        self._modules.enter()

    def leave(self) -> None:
        self._modules.leave()
        self._environment.leave()

    def context(self) -> Context:
        context = current.app_context()
        context.run(self._environment.use)
        return context

    def importing(self) -> AbstractContextManager[None]:
        return self._modules.loading()
