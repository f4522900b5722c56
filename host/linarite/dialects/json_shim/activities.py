"""What an activity is given, and what its end looks like to the orchestrator.

Apps parse the failure texts (they split at the newline and decode the second part), so those are the reference's to the member.
Source: durable-extension, TaskActivityShim and OutOfProcExceptionHelpers; Newtonsoft.Json's form of a .NET exception.
"""

from __future__ import annotations

from typing import Any

import msgspec

from linarite.dialects.json_shim.answers import without_label
from linarite.dialects.json_shim.texts import compact
from linarite.durable.events import HistoryEvent, TaskCompleted, TaskFailed
from linarite.errors import UserCodeFailed
from linarite.timestamps import Timestamp

_CORE_LIBRARY = "System.Private.CoreLib"


def trigger_value(stored: str | None) -> str:
    """The trigger's value for a stored input: the one element of its array, a string as such and anything else as JSON text."""
    if not stored:
        return "null"
    try:
        elements = msgspec.json.decode(stored)
    except msgspec.DecodeError:
        return stored
    if not isinstance(elements, list) or len(elements) != 1:
        return stored
    return elements[0] if isinstance(elements[0], str) else msgspec.json.encode(elements[0]).decode()


def completed(task_id: int, returned: str | None, now: Timestamp) -> HistoryEvent:
    """The answer of an activity that returned this JSON text."""
    result = None if returned is None or returned.strip() in ("", "null") else compact(returned)
    return TaskCompleted(task_scheduled_id=task_id, result=result, timestamp=now)


def failed(task_id: int, activity: str, error: UserCodeFailed, now: Timestamp) -> HistoryEvent:
    """The answer of an activity that raised."""
    said = without_label(str(error))
    return TaskFailed(
        task_scheduled_id=task_id, reason=_reason(activity, said), details=_details(said, str(error), error.stack), timestamp=now
    )


def refused(task_id: int, activity: str, sentence: str, now: Timestamp) -> HistoryEvent:
    """The answer of an activity that could not be run at all, or not to its end."""
    return TaskFailed(
        task_scheduled_id=task_id, reason=_reason(activity, sentence), details=_details(sentence, sentence, ""), timestamp=now
    )


def _reason(activity: str, sentence: str) -> str:
    return f"Activity function '{activity}' failed: {sentence}"


def _details(said: str, message: str, stack: str) -> str:
    """A .NET exception around the worker's, as JSON on one line."""
    inner: dict[str, Any] = {
        "$type": "Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException, Microsoft.Azure.WebJobs.Script",
        "IsUserException": False,
        "RemoteStackTrace": stack,
        "RemoteMessage": message,
        "RemoteTypeName": None,
        "Message": f"Result: Failure\nException: {message}\nStack: {stack}",
        "Data": {"$type": f"System.Collections.ListDictionaryInternal, {_CORE_LIBRARY}"},
        "InnerException": None,
        "HelpLink": None,
        "Source": None,
        "HResult": -2146233088,
        "StackTrace": None,
    }
    return msgspec.json.encode(
        {
            "$type": f"System.Exception, {_CORE_LIBRARY}",
            "ClassName": "System.Exception",
            "Message": said,
            "Data": None,
            "InnerException": inner,
            "HelpURL": None,
            "StackTraceString": None,
            "RemoteStackTraceString": None,
            "RemoteStackIndex": 0,
            "ExceptionMethod": None,
            "HResult": -2146233088,
            "Source": None,
            "WatsonBuckets": None,
        }
    ).decode()
