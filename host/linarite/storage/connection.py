"""Connection strings of Azure Storage accounts and emulators.

Reads the forms that the Azure SDKs read: `UseDevelopmentStorage=true`, account name and key, shared access signatures, and explicit
endpoints. Says what is wrong with any other without repeating what may be a key.
Source: "Configure Azure Storage connection strings", learn.microsoft.com.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from linarite.errors import InvalidConnectionString

EMULATOR_ACCOUNT = "devstoreaccount1"
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The well-known account and key of every emulator; not a secret."""

_EMULATOR_PORTS = {"blob": 10000, "queue": 10001, "table": 10002}


@dataclass(frozen=True, slots=True)
class Account:
    """One storage account. URLs have no trailing slash; there is a `key`, or a `sas` (a query string), or neither for public blobs."""

    name: str
    blob_url: str
    queue_url: str
    table_url: str
    key: str | None = field(default=None, repr=False)
    sas: str = field(default="", repr=False)

    @property
    def is_emulator(self) -> bool:
        """Whether it is Azurite, or another emulator under the well-known name."""
        return self.name == EMULATOR_ACCOUNT


def account(connection_string: str, setting: str = "AzureWebJobsStorage") -> Account:
    """The account a connection string names. `setting` is where it was found; raises InvalidConnectionString, which names it."""
    parts = _parts(connection_string, setting)
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        return _emulator(parts.get("developmentstorageproxyuri", "http://127.0.0.1"))
    urls = {service: _endpoint(parts, service, setting) for service in _EMULATOR_PORTS}
    name = parts.get("accountname") or _name_in(urls["queue"])
    key = parts.get("accountkey")
    sas = parts.get("sharedaccesssignature", "").lstrip("?")
    if key is None and not sas:
        raise InvalidConnectionString(setting, "it has neither AccountKey nor SharedAccessSignature")
    if key is not None:
        _check_key(key, setting)
    return Account(name, urls["blob"], urls["queue"], urls["table"], key, sas)


def _parts(connection_string: str, setting: str) -> dict[str, str]:
    if not connection_string.strip():
        raise InvalidConnectionString(setting, "it is empty")
    found = {}
    for number, part in enumerate(filter(None, (part.strip() for part in connection_string.split(";"))), start=1):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise InvalidConnectionString(setting, f"part {number} of it has no name=value form")
        found[name.strip().lower()] = value.strip()
    return found


def _emulator(proxy: str) -> Account:
    host = proxy.rstrip("/")
    urls = {service: f"{host}:{port}/{EMULATOR_ACCOUNT}" for service, port in _EMULATOR_PORTS.items()}
    return Account(EMULATOR_ACCOUNT, urls["blob"], urls["queue"], urls["table"], EMULATOR_KEY)


def _endpoint(parts: dict[str, str], service: str, setting: str) -> str:
    explicit = parts.get(f"{service}endpoint", "")
    if explicit:
        if urlsplit(explicit).scheme not in ("http", "https") or not urlsplit(explicit).netloc:
            raise InvalidConnectionString(setting, f"its {service.capitalize()}Endpoint is not an http or https URL")
        return explicit.partition("?")[0].rstrip("/")
    if not parts.get("accountname"):
        raise InvalidConnectionString(setting, f"it has neither AccountName nor {service.capitalize()}Endpoint")
    scheme = parts.get("defaultendpointsprotocol", "https")
    return f"{scheme}://{parts['accountname']}.{service}.{parts.get('endpointsuffix', 'core.windows.net')}"


def _name_in(url: str) -> str:
    """The account in an endpoint: the first label of a service's host, or the path of an emulator's URL."""
    address = urlsplit(url)
    return address.path.strip("/") or (address.hostname or "").partition(".")[0]


def _check_key(key: str, setting: str) -> None:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidConnectionString(setting, "its AccountKey is not Base64 text (was it cut off?)") from None
    if not key:
        raise InvalidConnectionString(setting, "its AccountKey is empty")
