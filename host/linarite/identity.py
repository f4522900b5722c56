"""The names an app goes by in its storage: its host id and its durable task hub. Pure rules.

Source: azure-functions-host, ScriptHostIdProvider; Durable Functions extension, DurableTaskOptions and AzureStorageOptions, as recorded
for 41 start-ups.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from linarite.errors import AppError
from linarite.settings import AppSettings, UnresolvedSetting

_HOST_ID_LENGTH = 32
_HUB_LENGTH = 45
_HUB = re.compile(r"[A-Za-z][A-Za-z0-9]{2,49}")
_HUB_DOCS = "https://docs.microsoft.com/azure/azure-functions/durable/durable-functions-task-hubs"


def host_id(settings: AppSettings, machine_name: str, script_root: str) -> str:
    """The id under which the host keeps timers, locks and receipts: set, or made of the machine's name and the app's folder."""
    if given := settings.get("AzureFunctionsWebHost__hostid"):
        return given
    machine = "".join(letter for letter in machine_name.partition(".")[0] if letter.isalnum()).lower()
    return f"{machine}-{abs(_stable_hash(script_root))}"[:_HOST_ID_LENGTH].rstrip("-")


def _stable_hash(text: str) -> int:
    """A hash that every process agrees on: 32 bits, signed, over UTF-16 units."""
    units = text.encode("utf-16-le", "surrogatepass")
    value = 23
    for low, high in zip(units[::2], units[1::2], strict=True):
        value = (value * 31 + low + 256 * high) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


class BadTaskHubName(AppError):
    """A task hub's name cannot be used."""


class TaskHubName(NamedTuple):
    """A task hub's name, and what should be said about it, if anything."""

    name: str
    warning: str | None = None


def task_hub_name(configured: str | None, settings: AppSettings) -> TaskHubName:
    """The hub of an app: `hubName` of host.json or else made of the site's name. Raises BadTaskHubName.

    A name that is set is taken as it is or refused; the default is trimmed until it fits.
    """
    default = _default_hub(settings)
    name = default.name if configured is None else _expanded(configured, settings)
    if settings.get("WEBSITE_SLOT_NAME", "Production").lower() != "production" and name.lower() == default.name.lower():
        raise BadTaskHubName(
            "Task Hub name must be specified in host.json when using slots. Specified name must not equal the default HubName "
            f"({default.name}).See documentation on Task Hubs for information on how to set this: {_HUB_DOCS}"
        )
    if configured is None:
        return default
    if objection := hub_name_objection(name):
        raise BadTaskHubName(objection)
    return TaskHubName(name)


def hub_name_objection(name: str) -> str | None:
    """Why a task hub cannot be called so, or None if it can."""
    if _HUB.fullmatch(name):
        return None
    return f"Task hub name '{name}' should contain only alphanumeric characters, start with a letter, and have length between 3 and 45."


def _expanded(configured: str, settings: AppSettings) -> str:
    try:
        return settings.expand(configured)
    except UnresolvedSetting:
        return configured


def _default_hub(settings: AppSettings) -> TaskHubName:
    site = settings.get("WEBSITE_SITE_NAME")
    if not site:
        return TaskHubName("TestHubName")
    name = "".join(letter for letter in site if letter.isalnum() and letter.isascii())
    if not name:
        return TaskHubName("DefaultTaskHub")
    if name[0].isdigit():
        name = "t" + name
    if len(name) < 3:
        name += "Hub"
    if len(name) <= _HUB_LENGTH:
        return TaskHubName(name)
    short = name[:_HUB_LENGTH]
    return TaskHubName(
        short,
        f"The default task hub name '{name}' exceeds the {_HUB_LENGTH}-character limit and was truncated to '{short}'. "
        "This may cause task hub collisions when multiple function apps use the same storage account. "
        "Check the generated task hub name and configure a unique `hubName` in `host.json`. "
        "For more information, see https://go.microsoft.com/fwlink/?LinkId=2377701.",
    )
