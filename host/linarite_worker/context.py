"""What a function is handed besides its inputs: its `Context`, and an `Out` for each output parameter.

Plain classes, registered with the SDK's abstract ones: a later SDK may declare more members without breaking this worker.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func

from linarite_worker.current import thread_local


@dataclass
class TraceContext:
    """W3C trace context; the names with a capital are what older apps use."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def Traceparent(self) -> str:
        return self.trace_parent

    @property
    def Tracestate(self) -> str:
        return self.trace_state


@dataclass
class PreviousFailure:
    """What ended the attempt before this one."""

    message: str
    source: str = ""
    stack_trace: str = ""


@dataclass
class RetryContext:
    """Which attempt this is. Without a retry policy: zeros.

    The SDK declares `exception`, but what the Functions worker hands out has `rpc_exception` only, empty at the first attempt.
    """

    retry_count: int
    max_retry_count: int
    rpc_exception: PreviousFailure


class Context:
    """`azure.functions.Context` of one invocation."""

    def __init__(self, header: dict[str, Any], function_name: str, function_directory: str) -> None:
        self.invocation_id: str = header["id"]
        self.function_name = function_name
        self.function_directory = function_directory
        self.trace_context = TraceContext(header.get("trace_parent", ""), header.get("trace_state", ""))
        self.retry_context = _retry_context(header.get("retry"))

    @property
    def thread_local_storage(self) -> threading.local:
        return thread_local


def _retry_context(retry: dict[str, Any] | None) -> RetryContext:
    if retry is None:
        return RetryContext(0, 0, PreviousFailure(""))
    return RetryContext(retry["retry_count"], retry["max_retry_count"], PreviousFailure(retry.get("failure") or ""))


class Out:
    """One output parameter; unset ones are not sent."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


func.Context.register(Context)
func.Out.register(Out)
