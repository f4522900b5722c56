"""What is set for an app and by whom, as rows for people to read; secrets are masked.

Of the environment only what the Functions runtime, Python workers or this host look at is shown.
"""

from __future__ import annotations

import re

from linarite.configuration import Row
from linarite.settings import ENVIRONMENT
from linarite.settings_files import Configuration

MASK = "*****"

_HEEDED = re.compile(
    r"AzureWebJobs|AzureFunctions|AZURE_FUNCTIONS_|FUNCTIONS_|WEBSITE_|PYTHON_|LINARITE_|languageWorkers|ConnectionStrings|TZ$|"
    r"APPLICATIONINSIGHTS_",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"key|secret|passw|pwd|token|credential|signature|(?<![a-z])sas(?![a-z])", re.IGNORECASE)
_IN_CONNECTION = re.compile(
    r"\b(AccountKey|SharedAccessKey|SharedAccessSignature|Password|Pwd|InstrumentationKey|ClientSecret)\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^;]*)",
    re.IGNORECASE,
)
_IN_QUERY = re.compile(r"([?&;](?:sig|code)=)[^&\s]*", re.IGNORECASE)
_LOGIN = re.compile(r"(://[^/@:\s]*:)\S+@")
_OPAQUE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9+/_=-]{23,}")
_PLAIN = frozenset({"", "true", "false"})
_DEVELOPMENT = re.compile(r"UseDevelopmentStorage=true;?", re.IGNORECASE)


def setting_rows(configuration: Configuration) -> list[Row]:
    """App settings in the order of their names, then host.json's and the local server's.

    An origin also names the places that set the same and do not count.
    """
    app = configuration.app
    names = [name for name in app if app.origin(name) != ENVIRONMENT or name in configuration.shadowed or _HEEDED.match(name)]
    rows = [Row(name, app[name], _origin(configuration, name)) for name in sorted(names, key=str.lower)]
    return [Row(row.name, masked(row.name, row.value), row.origin) for row in (*rows, *configuration.rows)]


def _origin(configuration: Configuration, name: str) -> str:
    origin = configuration.app.origin(name)
    over = configuration.shadowed.get(name)
    return f"{origin}, not {' or '.join(over)}" if over else origin


def masked(name: str, value: str) -> str:
    """A value as it may be shown: hidden if its name or its look says secret; of a connection string or URL only the secret parts."""
    if value.lower() in _PLAIN or _DEVELOPMENT.fullmatch(value.strip()):
        return value
    if _SECRET_NAME.search(name):
        return MASK
    shown = _LOGIN.sub(rf"\1{MASK}@", _IN_QUERY.sub(rf"\1{MASK}", _IN_CONNECTION.sub(rf"\1={MASK}", value)))
    if shown != value:
        return shown
    return MASK if _OPAQUE.fullmatch(value) or name.lower().startswith("connectionstrings:") else value
