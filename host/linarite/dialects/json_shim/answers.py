"""What an orchestrator's invocation came back with: a document, or an exception that carries one behind a label.

Compound actions are taken apart here, depth first, into the leaves that take ids; inputs get the form in which they are stored.
Source: azure-functions-durable, OrchestratorState and models/actions; durable-extension, OutOfProcOrchestrationShim and
OutOfProcExceptionHelpers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from linarite.dialects.json_shim.texts import compact, loads_once
from linarite.durable import actions
from linarite.durable.actions import Action, Answer, Failure, RetryPolicy
from linarite.durable.checks import failed
from linarite.durable.entity_messages import type_name
from linarite.durable.events import FailureDetails
from linarite.errors import UserCodeFailed
from linarite.timestamps import Timestamp, moment, timestamp, trimmed

HTTP_ACTIVITY = "BuiltIn::HttpActivity"
"""Name of the activity that the host itself runs for `call_http`."""

LABEL = "\n\n$OutOfProcData$:"
"""Between an exception's message and the document it carries."""

_LONGEST_TIMER = timedelta(days=6)


class _Retry(msgspec.Struct, rename="camel"):
    first_retry_interval_in_milliseconds: float
    max_number_of_attempts: int
    backoff_coefficient: float | None = None
    max_retry_interval_in_milliseconds: float | None = None


class _Action(msgspec.Struct, rename="camel"):
    action_type: int
    function_name: str = ""
    input: Raw | UnsetType = UNSET
    instance_id: str | None = None
    version: str | None = None
    retry_options: _Retry | None = None
    fire_at: str = ""
    is_canceled: bool = False
    external_event_name: str = ""
    operation: str = ""
    http_request: dict[str, Any] = {}
    compound_actions: list[_Action] = []


class _Document(msgspec.Struct, rename="camel"):
    is_done: bool = False
    schema_version: int = 0
    actions: list[list[_Action]] | None = None
    output: Raw | UnsetType = UNSET
    error: str | None = None
    custom_status: Raw | UnsetType = UNSET
    failure_details: dict[str, Any] | None = None


class _Refused(Exception):
    """The answer cannot be taken; the text says why, in the reference's words."""


def answer(orchestrator: str, text: str | None, clock: Timestamp) -> Answer:
    """The answer of an invocation that returned. `clock`: the episode's time."""
    if text is None or text.strip() in ("", "null"):
        return Answer(is_done=True)
    try:
        document = _document(text)
        leaves = tuple(_leaves(document, clock))
    except _Refused as refused:
        return refusal(orchestrator, str(refused))
    failure = failed(orchestrator, document.error) if document.error else None
    return _answer(document, leaves, failure)


def refusal(orchestrator: str, sentence: str) -> Answer:
    """The failure of an orchestrator that could not be asked, or whose answer cannot be taken."""
    return Answer(failure=msgspec.structs.replace(failed(orchestrator, sentence), is_labelled=False))


def failure(orchestrator: str, error: UserCodeFailed, clock: Timestamp) -> Answer:
    """The answer of an invocation that raised: what its label carries, or else just the exception."""
    document = _labelled(error.message)
    if document is None:
        return refusal(orchestrator, str(error))
    text = document.error or error.type_name
    failure = Failure(
        text=f"Orchestrator function '{orchestrator}' failed: {text}",
        details=f"Message: {text}, StackTrace: {error.stack}",
        failure_details=_failure_details(document.failure_details),
    )
    try:
        leaves = tuple(_leaves(document, clock))
    except _Refused as refused:
        return refusal(orchestrator, str(refused))
    return _answer(document, leaves, failure)


def _answer(document: _Document, leaves: tuple[Action, ...], failure: Failure | None) -> Answer:
    return Answer(
        actions=leaves,
        is_done=document.is_done,
        output=_value(document.output),
        custom_status=_value(document.custom_status),
        failure=failure,
    )


def _value(raw: Raw | UnsetType) -> str | None:
    """Compact JSON text; None for null and for what is absent."""
    if isinstance(raw, UnsetType) or bytes(raw) == b"null":
        return None
    return compact(raw)


def _document(text: str) -> _Document:
    if text.lstrip().startswith("["):
        raise _Refused("The data returned by the out-of-process function execution was not valid json.")
    try:
        document = msgspec.json.decode(text, type=_Document)
    except (msgspec.DecodeError, RecursionError):
        raise _Refused("Out of proc orchestrators must return a valid JSON schema") from None
    if document.actions is None:
        raise _Refused("Value cannot be null. (Parameter 'Out-of-proc orchestrator schema must have a non-null actions property.')")
    if document.schema_version not in range(4):
        raise _Refused(f'The OOProc schema of of version "{document.schema_version}" is unsupported by this durable-extension version.')
    if document.schema_version and len(document.actions) != 1:
        raise _Refused(
            f"With OOProc schema V{document.schema_version + 1}, expected actions array to be of length 1 in outer layer "
            f"but got size: {len(document.actions)}"
        )
    return document


def _labelled(message: str) -> _Document | None:
    """The document behind the last label, if it is one: strict JSON, and actions in a list of lists."""
    _, label, text = message.rpartition(LABEL)
    if not label:
        return None
    try:
        loads_once(text)
        document = msgspec.json.decode(text, type=_Document)
    except (ValueError, RecursionError):
        return None
    return document if document.actions is not None else None


def without_label(message: str) -> str:
    """An exception's text without the document behind its label, if there is one."""
    return message.rpartition(LABEL)[0] if _labelled(message) else message


def _leaves(document: _Document, clock: Timestamp) -> Iterator[Action]:
    splits_timers = document.schema_version >= 2
    for group in document.actions or ():
        for action in group:
            for leaf in _take_apart(action):
                if isinstance(leaf, actions.CreateTimer) and not splits_timers and not leaf.is_canceled:
                    _refuse_long_timer(leaf, clock)
                yield leaf


def _take_apart(action: _Action) -> Iterator[Action]:
    if action.action_type in (11, 12):
        for child in action.compound_actions:
            yield from _take_apart(child)
    else:
        yield _leaf(action)


def _leaf(action: _Action) -> Action:
    """The action in the core's words. An input stays the SDK's string of JSON text, and is stored as such: JSON text twice over."""
    match action.action_type:
        case 0 | 1:
            return actions.CallActivity(
                name=action.function_name, input=f"[{_value(action.input) or 'null'}]", retry=_policy(action.retry_options)
            )
        case 2 | 3:
            return actions.CallSubOrchestration(
                name=action.function_name,
                input=_value(action.input),
                instance_id=action.instance_id or None,
                version=action.version,
                retry=_policy(action.retry_options),
            )
        case 4:
            return actions.ContinueAsNew(input=_value(action.input))
        case 5:
            return actions.CreateTimer(fire_at=_instant(action.fire_at), is_canceled=action.is_canceled)
        case 6:
            return actions.WaitForEvent(name=action.external_event_name)
        case 7 | 9 | 10:
            return actions.CallEntity(
                instance_id=action.instance_id or "",
                operation=action.operation,
                input=_value(action.input),
                is_signal=action.action_type != 7,
                due=_instant(action.fire_at) if action.action_type == 10 else None,
            )
        case 8:
            return actions.CallActivity(name=HTTP_ACTIVITY, input=_http_input(action.http_request))
    raise _Refused(f"Received an unexpected action type from the out-of-proc function: '${action.action_type}'.")


def _instant(text: str) -> Timestamp:
    try:
        instant = moment(text)
    except ValueError:
        raise _Refused("Out of proc orchestrators must return a valid JSON schema") from None
    return trimmed(text) if text.endswith("Z") else timestamp(instant)


def _policy(options: _Retry | None) -> RetryPolicy | None:
    if options is None:
        return None
    cap_ms = options.max_retry_interval_in_milliseconds
    return RetryPolicy(
        first_interval_s=options.first_retry_interval_in_milliseconds / 1000,
        max_attempts=options.max_number_of_attempts,
        backoff=1.0 if options.backoff_coefficient is None else options.backoff_coefficient,
        max_interval_s=_LONGEST_TIMER.total_seconds() if cap_ms is None else cap_ms / 1000,
    )


def _refuse_long_timer(timer: actions.CreateTimer, clock: Timestamp) -> None:
    """SDKs of the older schemas do not split a timer that is longer than a queue message may be hidden."""
    if moment(timer.fire_at) - moment(clock) > _LONGEST_TIMER:
        raise _Refused(
            f"The Azure Storage provider supports a maximum of {_LONGEST_TIMER.days} days for time-based delays (Parameter 'fireAt')"
        )


def _http_input(request: dict[str, Any]) -> str:
    """The HTTP activity's input, with every member that the reference writes."""
    return msgspec.json.encode(
        [
            {
                "$type": type_name("DurableHttpRequest"),
                "method": request.get("method"),
                "uri": request.get("uri"),
                "headers": request.get("headers") or {},
                "content": request.get("content"),
                "tokenSource": _token_source(request.get("tokenSource")),
                "asynchronousPatternEnabled": bool(request.get("asynchronousPatternEnabled")),
                "retryOptions": request.get("retryOptions"),
                "timeout": request.get("timeout"),
            }
        ]
    ).decode()


_SCOPED = ("https://management.core.windows.net", "https://graph.microsoft.com")


def _token_source(source: dict[str, Any] | None) -> dict[str, Any] | None:
    if not source:
        return None
    resource = str(source.get("resource", ""))
    if resource.rstrip("/") in _SCOPED:
        resource = f"{resource.rstrip('/')}/.default"
    return {"kind": source.get("kind"), "resource": resource, **({"options": source["options"]} if source.get("options") else {})}


def _failure_details(found: dict[str, Any] | None) -> FailureDetails | None:
    if not found:
        return None
    return FailureDetails(
        error_type=str(found.get("ErrorType", "")),
        error_message=str(found.get("ErrorMessage", "")),
        stack_trace=found.get("StackTrace"),
        inner_failure=_failure_details(found.get("InnerFailure")),
        is_non_retriable=bool(found.get("IsNonRetriable")),
        properties=found.get("Properties"),
    )
