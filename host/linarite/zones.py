"""The time zone that schedules run in: `WEBSITE_TIME_ZONE`, else `TZ`, else the machine's.

Source: azure-webjobs-sdk-extensions takes .NET's local zone; App Service sets that from either setting.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from linarite.errors import AppError
from linarite.windows_zones import iana_name

log = logging.getLogger(__name__)

SETTING = "WEBSITE_TIME_ZONE"
_LOCALTIME = Path("/etc/localtime")


class UnknownTimeZone(AppError):
    """A setting names a time zone that does not exist."""


def schedule_zone(settings: Mapping[str, str]) -> ZoneInfo:
    """The zone that the app's settings choose. Raises UnknownTimeZone."""
    if name := settings.get(SETTING, "").strip():
        zone = named_zone(name)
        if zone is None:
            raise UnknownTimeZone(
                f"{SETTING} is '{name}'; expected an IANA time zone, such as Europe/Berlin, or a Windows one, "
                "such as W. Europe Standard Time."
            )
        return zone
    if name := settings.get("TZ", "").strip().lstrip(":"):
        if zone := named_zone(name):
            return zone
        log.warning("TZ is '%s', which names no time zone here; schedules run in UTC.", name)
        return ZoneInfo("UTC")
    return machine_zone()


def named_zone(name: str) -> ZoneInfo | None:
    """The zone of an IANA or Windows name, or None."""
    for candidate in (name, iana_name(name)):
        try:
            if candidate:
                return ZoneInfo(candidate)
        except (KeyError, ValueError, OSError):  # unknown; no name at all; a folder of the database
            continue
    return None


def machine_zone() -> ZoneInfo:
    """The zone this machine is set to; UTC if it does not say."""
    if sys.platform == "win32":
        return named_zone(_windows_key_name()) or ZoneInfo("UTC")
    _, found, name = str(_LOCALTIME.resolve()).partition("zoneinfo/")
    if found and (zone := named_zone(name)):
        return zone
    try:
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file, "local")
    except (OSError, ValueError):
        return ZoneInfo("UTC")


if sys.platform == "win32":

    def _windows_key_name() -> str:
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\TimeZoneInformation") as key:
            return str(winreg.QueryValueEx(key, "TimeZoneKeyName")[0])
