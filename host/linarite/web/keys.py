"""Keys: who a caller is. Kept in files in the app's `.linarite` folder, in the form of the Functions host's, or in memory.

One master key, host keys for all functions, system keys for extensions, and keys of single functions, made when first needed. Values are
compared whole and in constant time, and reach no log line.
Source: azure-functions-host, SecretManager, FileSystemSecretsRepository; functions-host sections 3.4 and 4.3.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from linarite.errors import OperatorError

Scope = Literal["functionkeys", "systemkeys"]
"""The two lists of host-wide keys, by their names in the admin API."""

MASTER = "_master"
DEFAULT = "default"
_SIGNATURE = "AzFu"
"""At place 44 of every key, so that scanners know one that was committed by mistake."""
_SHOWN = "shown"
"""The file that says that the master key has been shown."""


_T = TypeVar("_T")


class Key(msgspec.Struct):
    """A key with its name; `encrypted` is only there for the form."""

    name: str
    value: str
    encrypted: bool = False


class _HostKeys(msgspec.Struct, rename="camel"):
    master_key: Key
    function_keys: list[Key]
    system_keys: list[Key]
    host_name: str = ""
    instance_id: str = ""
    source: str = "runtime"
    decryption_key_id: str = ""


class _FunctionKeys(msgspec.Struct, rename="camel"):
    keys: list[Key]
    host_name: str = ""
    instance_id: str = ""
    source: str = "runtime"
    decryption_key_id: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """What a key says of who presents it. `name` is the key's, of a system or host key."""

    kind: Literal["master", "host", "system"]
    name: str = ""


def new_value() -> str:
    """A fresh key: 40 random bytes, less the signature."""
    text = base64.urlsafe_b64encode(secrets.token_bytes(40)).decode("ascii")
    return text[:44] + _SIGNATURE + text[48:]


class Keys:
    """The keys of one app. Files are read at first use and written at every change; nobody else writes them while the host runs.

    Without a folder they last as long as this.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._host: _HostKeys | None = None
        self._functions: dict[str, _FunctionKeys] = {}

    def load(self) -> None:
        """Read the keys, or make them, now. Raises OperatorError."""
        self._loaded()

    def show_once(self) -> str:
        """The master key, for the one time that it is shown; "" if it has been."""
        master = self.master
        shown = None if self._folder is None else self._folder / _SHOWN
        if shown is not None:
            if shown.exists():
                return ""
            shown.touch()
        return master

    @property
    def master(self) -> str:
        return self._loaded().master_key.value

    def system_key(self, name: str) -> str:
        """The value of an extension's key, which is made if there is none."""
        return self.get_or_make("systemkeys", name).value

    def identify(self, value: str | None) -> Caller | None:
        """Whose host-wide key this is; None if it is nobody's."""
        if not value:
            return None
        host = self._loaded()
        found: Caller | None = None
        candidates = [(Caller("master"), host.master_key)]
        candidates += [(Caller("host", key.name), key) for key in host.function_keys]
        candidates += [(Caller("system", key.name), key) for key in host.system_keys]
        for caller, key in candidates:  # all of them, whichever fits, so that time tells nothing
            if _same(key.value, value):
                found = caller
        return found

    def opens(self, function: str, value: str | None) -> bool:
        """Whether this is a key of that function alone."""
        fits = [_same(key.value, value or "") for key in self.function_keys(function)]  # all, see identify
        return bool(value) and any(fits)

    def host_keys(self, scope: Scope) -> list[Key]:
        host = self._loaded()
        return host.function_keys if scope == "functionkeys" else host.system_keys

    def function_keys(self, function: str) -> list[Key]:
        """The keys of a function, of which there is at least the default one."""
        return self._of(function).keys

    def get_or_make(self, scope: Scope, name: str) -> Key:
        keys = self.host_keys(scope)
        if (key := _named(keys, name)) is None:
            key = self.put_host(scope, name, None)[0]
        return key

    def put_host(self, scope: Scope, name: str, value: str | None) -> tuple[Key, bool]:
        """Set a host-wide key, to a fresh value if none is given. Says whether it is new."""
        if scope == "systemkeys" and name.lower() == MASTER:
            host = self._loaded()
            host.master_key.value = value or new_value()
            self._save_host()
            return host.master_key, False
        put = _put(self.host_keys(scope), name, value)
        self._save_host()
        return put

    def put_function(self, function: str, name: str, value: str | None) -> tuple[Key, bool]:
        """Set a function's key, to a fresh value if none is given. Says whether it is new."""
        put = _put(self.function_keys(function), name, value)
        self._save(function.lower(), self._of(function))
        return put

    def delete_host(self, scope: Scope, name: str) -> bool:
        """Forget a host-wide key; False if there was none."""
        deleted = _delete(self.host_keys(scope), name)
        if deleted:
            self._save_host()
        return deleted

    def delete_function(self, function: str, name: str) -> bool:
        """Forget a function's key; False if there was none."""
        deleted = _delete(self.function_keys(function), name)
        if deleted:
            self._save(function.lower(), self._of(function))
        return deleted

    def _loaded(self) -> _HostKeys:
        if self._host is None:
            self._host = self._read("host", _HostKeys)
            if self._host is None:
                self._host = _HostKeys(Key("master", new_value()), [Key(DEFAULT, new_value())], [])
                self._save_host()
        return self._host

    def _of(self, function: str) -> _FunctionKeys:
        name = function.lower()
        if name not in self._functions:
            kept = self._read(name, _FunctionKeys)
            self._functions[name] = kept or _FunctionKeys([Key(DEFAULT, new_value())])
            if kept is None:
                self._save(name, self._functions[name])
        return self._functions[name]

    def _read(self, name: str, kind: type[_T]) -> _T | None:
        if (path := self._path(name)) is None:
            return None
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as problem:
            raise OperatorError(f"The keys in {path} cannot be read: {problem}. Delete the file to have new ones made.") from None

    def _save_host(self) -> None:
        self._save("host", self._loaded())

    def _save(self, name: str, keys: _HostKeys | _FunctionKeys) -> None:
        if (path := self._path(name)) is None:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = path.with_suffix(".new")
        content = json.dumps(msgspec.to_builtins(keys), indent=2).encode()
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        scratch.replace(path)

    def _path(self, name: str) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{name}.json" if name == "host" else self._folder / "functions" / f"{name}.json"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _named(keys: Iterable[Key], name: str) -> Key | None:
    return next((key for key in keys if key.name.lower() == name.lower()), None)


def _put(keys: list[Key], name: str, value: str | None) -> tuple[Key, bool]:
    key = _named(keys, name)
    if key is not None:
        key.value = value or new_value()
        return key, False
    key = Key(name, value or new_value())
    keys.append(key)
    return key, True


def _delete(keys: list[Key], name: str) -> bool:
    key = _named(keys, name)
    if key is not None:
        keys.remove(key)
    return key is not None
