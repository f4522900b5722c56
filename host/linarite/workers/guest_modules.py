"""Modules of apps that are guests in this process: imported once under their own names, as everywhere, so that tests share them.

Where two folders have modules of the same name, the one that came first keeps the name. The other app's modules are put in its place
while that app is loaded, and while its code runs an `import` statement; `importlib.import_module` in its functions finds the first one.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import os
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

Modules = dict[str, ModuleType]

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
_PACKAGES = frozenset({"site-packages", "dist-packages"})

_table = threading.RLock()
"""Held while `sys.modules` is another app's, and by whoever changes what is below."""
_guests: list[GuestModules] = []
_versions: dict[str, tuple[int, int]] = {}
"""Time and size of the files from which apps' modules were imported."""
_original_import = builtins.__import__


class GuestModules:
    """What one app's folder brings along. Its code is loaded within `loading`, between `enter` and `leave`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start = os.path.realpath(folder) + os.sep
        packages = folder / ".python_packages" / "lib" / "site-packages"
        self._path = [str(folder), *([str(packages)] if packages.is_dir() else [])]
        self._private: Modules = {}
        self._meets_others = False

    def enter(self) -> None:
        """Let the app's modules be found."""
        with _table:
            _guests.append(self)
            self._onto_the_path()
            _hook()

    def leave(self) -> None:
        """Let them be found no more. Modules that have their names to themselves stay, as imported modules do."""
        with _table:
            _guests.remove(self)
            self._private.clear()
            self._off_the_path()
            _hook()

    def take_others(self) -> Modules:
        """Modules from elsewhere whose names the folder has too, taken out of the table."""
        _, others = self._found()
        _remove(others)
        return others

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Where the app is loaded: with its modules in place, those that were saved since they were imported as they are now."""
        with self.in_place():
            self._forget_changed()
            importlib.invalidate_caches()
            yield

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The app's modules stand where others have their names; whatever is imported meanwhile is the app's."""
        with _table:
            is_first = sys.path[: len(self._path)] == self._path
            if not is_first:
                self._onto_the_path()
            others = self.take_others()
            sys.modules.update(self._private)
            try:
                yield
            finally:
                if not is_first:
                    self._off_the_path()
                self._set_aside(others)

    def has(self, code: Mapping[str, object]) -> bool:
        """Whether the globals of some code are those of a module of the app."""
        name, file = code.get("__name__"), code.get("__file__")
        return isinstance(name, str) and isinstance(file, str) and self._is_own(name, file)

    @property
    def meets_others(self) -> bool:
        """Whether there are modules from elsewhere whose names this app has too."""
        return self._meets_others

    def _found(self) -> tuple[Modules, Modules]:
        """Modules with names that the folder has: the app's, and those of other places. What is installed is neither."""
        names = {entry.stem for entry in self._folder.iterdir() if entry.suffix == ".py" or _is_package(entry)}
        own: Modules = {}
        others: Modules = {}
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in names and (place := _place(module)) is not None:
                (own if self._is_own(name, place) else others)[name] = module
        return own, others

    def _is_own(self, name: str, place: str) -> bool:
        """Whether a module of that name is imported from the folder itself; a folder below may be another app."""
        path = os.path.realpath(place)
        first = path[len(self._start) :].partition(os.sep)[0]
        return path.startswith(self._start) and first.removesuffix(".py") == name.partition(".")[0]

    def _set_aside(self, others: Modules) -> None:
        """Give names back to those who had them first."""
        own, _ = self._found()
        _versions.update({place: _version(place) for module in own.values() if (place := _place(module))})
        contested = {name.partition(".")[0] for name in others}
        self._private = {name: module for name, module in own.items() if name.partition(".")[0] in contested}
        _remove(self._private)
        sys.modules.update(others)
        self._meets_others = bool(others)
        _hook()

    def _forget_changed(self) -> None:
        """If a file was saved since its module was imported, all of the app's modules are imported anew."""
        own, _ = self._found()
        places = [place for module in own.values() if (place := _place(module)) in _versions]
        if any(_version(place) != _versions[place] for place in places):
            _remove(own)

    def _onto_the_path(self) -> None:
        """Come first. The path is another list then: a thread that is looking for a module goes on with the one before."""
        sys.path = [*self._path, *sys.path]

    def _off_the_path(self) -> None:
        path = list(sys.path)
        for entry in self._path:
            with contextlib.suppress(ValueError):  # the app may have taken it off itself
                path.remove(entry)
        sys.path = path


def _is_package(folder: Path) -> bool:
    return folder.is_dir() and next(folder.glob("*.py"), None) is not None


def _remove(modules: Modules) -> None:
    for name in modules:
        del sys.modules[name]


def _place(module: ModuleType) -> str | None:
    """Where a module comes from, or None if it was installed: its file or, of a package without one, a folder."""
    place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if not isinstance(place, str) or place.startswith(_INSTALLED) or not _PACKAGES.isdisjoint(Path(place).parts):
        return None
    return place


def _version(place: str) -> tuple[int, int]:
    try:
        status = os.stat(place)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _hook() -> None:
    """Look at every `import` as long as there is something to tell apart."""
    is_needed = len(_guests) > 1 or any(guest.meets_others for guest in _guests)
    builtins.__import__ = _import if is_needed else _original_import


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """`import` while apps may have modules of the same name: told apart by the module that has the statement."""
    with _table:  # nobody is to import from the middle of another's import
        guest = next((guest for guest in _guests if guest.has(globals or {})), None)
        with contextlib.nullcontext() if guest is None else guest.in_place():
            return _original_import(name, globals, locals, fromlist or (), level)
