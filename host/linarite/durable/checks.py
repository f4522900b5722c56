"""What is refused before an episode, or in an orchestrator's answer, each with the reference's own sentence.

Source: durable-extension, DurableOrchestrationContext and MessagePayloadDataConverter; DurableTask.Core, VersioningSettings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from linarite.durable.actions import Answer, CallSubOrchestration, Failure
from linarite.durable.events import ExecutionStarted, FailureDetails
from linarite.durable.messages import ENTITY_PREFIX
from linarite.durable.numbering import Numbered, Task
from linarite.settings import DurableSettings

MAX_STATUS_KB = 16


class VersionRejected(Exception):
    """The host may not run this instance's version; its messages are left for a host that may."""


def failed(orchestrator: str, sentence: str) -> Failure:
    """The failure of an orchestrator for a reason that its own code did not give."""
    return Failure(text=f"Orchestrator function '{orchestrator}' failed: {sentence}", details=f"Message: {sentence}, StackTrace: ")


def status_objection(custom_status: str | None) -> str | None:
    """Why this custom status cannot be kept, or None."""
    size_kb = len((custom_status or "").encode("utf-16-le")) // 1024
    if size_kb <= MAX_STATUS_KB:
        return None
    return f"The UTF-16 size of the JSON-serialized payload must not exceed {MAX_STATUS_KB} KB. The current payload size is {size_kb} KB."


Refuses = Callable[[Numbered], str | None]
"""Why the app cannot be asked for an action, or None."""


def action_objection(
    answer: Answer, new_tasks: Iterable[Task], started: ExecutionStarted, max_actions: int, refuses: Refuses
) -> str | None:
    """Why these actions cannot be carried out, or None."""
    if len(answer.actions) > max_actions:
        return (
            f"Maximum amount of orchestration actions ({max_actions}) has been reached. "
            "This value can be configured in host.json file as MaxOrchestrationActions."
        )
    parent = started.parent_instance
    taken = {started.orchestration_instance.instance_id, parent.orchestration_instance.instance_id if parent else None}
    for task in new_tasks:
        if sentence := refuses(task.action):
            return sentence
        if not isinstance(task.action, CallSubOrchestration) or task.action.instance_id is None:
            continue
        if task.action.instance_id in taken:
            return "The instance ID of a sub-orchestration must be different than the instance ID of a parent orchestration."
        if task.action.instance_id.startswith(ENTITY_PREFIX):
            return "Orchestration instance ids must not start with @."
    return None


def version_failure(started: ExecutionStarted, settings: DurableSettings) -> Failure | None:
    """The failure of an instance whose version this host may not run, or None if it may.

    Raises VersionRejected if host.json says that such an instance is to be left alone.
    """
    version, own = started.version or "", settings.default_version or ""
    if _is_acceptable(version, own, settings):
        return None
    if settings.version_failure == "Reject":
        raise VersionRejected(
            f"Instance '{started.orchestration_instance.instance_id}' of '{started.name}' has version '{version}', and this host's "
            f"defaultVersion is '{own}' with versionMatchStrategy {settings.version_match}: it is left to a host that may run it. "
            "Raise defaultVersion in host.json, or set versionFailureStrategy to Fail."
        )
    message = "Orchestration version did not comply with Worker Versioning"
    details = FailureDetails(error_type="VersionMismatch", error_message=message, is_non_retriable=True)
    return Failure(text=None, failure_details=details)


def _is_acceptable(version: str, own: str, settings: DurableSettings) -> bool:
    match settings.version_match:
        case "None":
            return True
        case "Strict":
            return version == own
    if not version or not own:
        return not version
    numbers, own_numbers = _numbers(version), _numbers(own)
    if numbers and own_numbers:
        return numbers <= own_numbers
    return version.lower() <= own.lower()


def _numbers(version: str) -> tuple[int, ...] | None:
    """`1.2.3` as numbers; None for anything else. Two to four parts, as .NET's Version."""
    parts = version.split(".")
    if not 2 <= len(parts) <= 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return tuple(int(part) for part in parts)
