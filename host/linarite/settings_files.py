"""The app's settings: the environment, local.settings.json and an `.env` beside it, in that order of precedence, each value with its place.

host.json is `host_json.py`'s; `read_settings` reads all of it. Complaints name file and line.
Source: azure-functions-core-tools, AppSettingsFile and StartHostAction; functions-host section 8.2. The `.env` is ours.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from linarite.configuration import Node, Reader, Row, flag, integer, plain_text, read_object, text, tree
from linarite.errors import AppError
from linarite.host_json import read_host_json
from linarite.jsonc import Document
from linarite.settings import ENVIRONMENT, AppSettings, HostSettings, LocalHttpSettings

log = logging.getLogger(__name__)

LOCAL_SETTINGS = "local.settings.json"
DOT_ENV = ".env"
RUNTIME = "FUNCTIONS_WORKER_RUNTIME"
USER_LEVEL = "FUNCTIONS_USER_LOG_LEVEL"
"""Setting that `--user-log-level` overrides."""
KIND = "AZURE_FUNCTIONS_ENVIRONMENT"


class BadSettingsFile(AppError):
    """local.settings.json or the `.env` cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that is set for an app. `rows` are the settings of host.json and of the local server that are in force.

    `shadowed`: by the name of an app setting, the places that set it too and do not count.
    """

    app: AppSettings
    host: HostSettings
    local: LocalHttpSettings
    rows: tuple[Row, ...]
    shadowed: Mapping[str, tuple[str, ...]]


def read_settings(folder: Path, environment: Mapping[str, str]) -> Configuration:
    """Read the files of the app in `folder`. Raises AppError, whatever is wrong with them."""
    local = _local_settings(folder / LOCAL_SETTINGS)
    values, origins = dict(environment), dict.fromkeys(environment, ENVIRONMENT)
    shadowed: dict[str, tuple[str, ...]] = {}
    for name, (value, origin) in (*local.values.items(), *_dot_env(folder / DOT_ENV).items()):
        if name not in values or (origins[name] == ENVIRONMENT and not values[name]):
            values[name], origins[name] = value, origin
            continue
        shadowed[name] = (*shadowed.get(name, ()), origin)
        if origins[name] == ENVIRONMENT:
            place = DOT_ENV if origin.startswith(DOT_ENV) else "local settings"
            log.warning("Skipping '%s' from %s as it's already defined in current environment variables.", name, place)
    _python_only(values, origins)
    settings = AppSettings(values, origins)
    host, rows = read_host_json(folder, settings)
    return Configuration(settings, host, local.http, (*rows, *local.rows), shadowed)


def _python_only(values: dict[str, str], origins: dict[str, str]) -> None:
    runtime = values.get(RUNTIME, "").strip()
    if not runtime:
        values[RUNTIME], origins[RUNTIME] = "python", "default"
        log.warning(
            'The \'%s\' setting is missing; python is taken. The deployed app needs it: add "%s": "python" to Values in %s.',
            *(RUNTIME, RUNTIME, LOCAL_SETTINGS),
        )
    elif runtime.lower() != "python":
        raise BadSettingsFile(
            f"WorkerConfig for runtime: {runtime} not found. {RUNTIME} is {runtime!r} ({origins[RUNTIME]}); only python runs here."
        )


class _Local(NamedTuple):
    values: dict[str, tuple[str, str]]
    http: LocalHttpSettings
    rows: list[Row]


def _local_settings(path: Path) -> _Local:
    """What local.settings.json holds; nothing if there is none."""
    document = read_object(path, BadSettingsFile, has_secrets=True)
    if document is None:
        return _Local({}, LocalHttpSettings(), [])
    reader = Reader(tree(document, LOCAL_SETTINGS))
    return _Local({**_values(document), **_connection_strings(document)}, _local_http(reader), reader.rows)


def _section(document: Document, name: str) -> dict[str, Any]:
    section = document.value.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise BadSettingsFile(f"{LOCAL_SETTINGS}:{document.lines[(name,)]}: {name} is no object; expected names and values in braces.")
    if section and name != "Host":
        _refuse_encrypted(document, name)
    return section


def _refuse_encrypted(document: Document, name: str) -> None:
    """Encrypted values are bound to the machine and user that wrote them. Without the property they count as encrypted, as with `func`."""
    encrypted = document.value.get("IsEncrypted")
    if encrypted is None:
        raise BadSettingsFile(
            f'{LOCAL_SETTINGS}:{document.lines[(name,)]}: "IsEncrypted" is missing, which means true. Add "IsEncrypted": false.'
        )
    if str(encrypted).lower() != "false":
        raise BadSettingsFile(
            f"{LOCAL_SETTINGS}:{document.lines[('IsEncrypted',)]}: the settings are encrypted, and only `func` on the machine that wrote "
            'them can read them. Run `func settings decrypt`, or write them in plain text with "IsEncrypted": false.'
        )


def _values(document: Document) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name, value in _section(document, "Values").items():
        origin = f"{LOCAL_SETTINGS}:{document.lines[('Values', name)]}"
        if not name.strip():
            log.warning("Skipping local setting with empty key.")
        elif value is None:
            log.warning("Skipping '%s' because value is null", name)
        elif isinstance(value, (dict, list)):
            raise BadSettingsFile(f"{origin}: Values.{name} is not a text. Values are flat; write {name}__part for a part of it.")
        else:
            found[name] = (plain_text(value), origin)
    return found


def _connection_strings(document: Document) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name, value in _section(document, "ConnectionStrings").items():
        origin = f"{LOCAL_SETTINGS}:{document.lines[('ConnectionStrings', name)]}"
        connection = value.get("ConnectionString") if isinstance(value, dict) else value
        if not isinstance(connection, str):
            raise BadSettingsFile(
                f'{origin}: ConnectionStrings.{name} is no connection string; expected a text, or {{"ConnectionString": "…"}}.'
            )
        found[f"ConnectionStrings:{name}"] = (connection, origin)
    return found


def _origins(node: Node) -> tuple[str, ...]:
    return tuple(origin.strip() for origin in text(node).split(",") if origin.strip())


def _local_http(reader: Reader) -> LocalHttpSettings:
    return reader.build(
        LocalHttpSettings,
        "Host",
        {
            "port": ("LocalHttpPort", integer(0, 65535)),
            "address": ("LocalHttpAddress", text),
            "cors": ("CORS", _origins),
            "cors_credentials": ("CORSCredentials", flag),
        },
    )


_LINE = re.compile(r"(?:export\s+)?([^\s=#\"']+)\s*=\s*(.*)")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def _dot_env(path: Path) -> dict[str, tuple[str, str]]:
    """`NAME=value` lines; blank lines and comments between them. Quotes keep blanks and `#`; double quotes take \\n, \\t, \\" and \\\\."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (FileNotFoundError, IsADirectoryError):
        return {}  # a virtual environment may have that name
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettingsFile(f"{DOT_ENV} cannot be read: {error}") from None
    found: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadSettingsFile(f"{DOT_ENV}:{number}: expected NAME=value, found {line.partition('=')[0].strip()!r}.")
        found[match[1]] = (_unquoted(match[2], number), f"{DOT_ENV}:{number}")
    return found


def _unquoted(value: str, number: int) -> str:
    if value[:1] not in ('"', "'"):
        return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()
    match = (_DOUBLE if value[0] == '"' else _SINGLE).fullmatch(value)
    if match is None:
        raise BadSettingsFile(f"{DOT_ENV}:{number}: this value has no closing quote, or text after it.")
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match[1]) if value[0] == '"' else match[1]


def worker_environment(settings: AppSettings, folder: Path, host_name: str, user_log_level: str | None = None) -> dict[str, str]:
    """The environment that user code sees: the app's settings, and what Core Tools adds. `host_name` is `localhost:PORT`.

    Nothing that the environment sets is changed; only the kind of environment is not the files' to choose.
    """
    values = dict(settings)
    if settings.get(KIND) and settings.origin(KIND) != ENVIRONMENT:
        log.warning("%s already exists with value '%s', overriding to 'Development'.", KIND, values.pop(KIND))
    extra = {
        "WEBSITE_HOSTNAME": host_name,
        "AzureWebJobsScriptRoot": str(folder),
        KIND: "Development",
        "FUNCTIONS_CORETOOLS_ENVIRONMENT": "true",
        "PYTHON_ENABLE_DEBUG_LOGGING": "1",
    }
    if level := user_log_level or settings.get(USER_LEVEL):
        extra["AzureFunctionsJobHost__logging__logLevel__Function"] = level
    return {**values, **{name: value for name, value in extra.items() if not values.get(name)}}
