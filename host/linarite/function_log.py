"""The log lines of invocations, in the Functions runtime's words and under its categories; and the app's own lines between them.

A category is a logger's name: `Function.<name>` for what the runtime says, `Function.<name>.User` for what the app logs,
`Host.Function.Console` for what it prints.
Source: azure-webjobs-sdk, LoggerExtensions; azure-functions-host, GrpcWorkerChannel (logs of workers); functions-host section 9.5.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache

from linarite.errors import LinariteError, UserCodeFailed
from linarite.metadata import Function
from linarite.workers.protocol import LogLevel, LogLine

TRACE = 5
LEVELS: Mapping[LogLevel, int] = {
    "Trace": TRACE,
    "Debug": logging.DEBUG,
    "Information": logging.INFO,
    "Warning": logging.WARNING,
    "Error": logging.ERROR,
    "Critical": logging.CRITICAL,
}

_console = logging.getLogger("Host.Function.Console")
_worker = logging.getLogger("Worker.Python")
_host = logging.getLogger("Microsoft.Azure.WebJobs.Script.WebHost.WebScriptHostExceptionHandler")


@lru_cache(maxsize=1024)
def _named(name: str) -> logging.Logger:
    return logging.getLogger(name)


def logger_of(function: Function) -> logging.Logger:
    """Category of what the runtime says about a function."""
    return _named(f"Function.{function.name}")


_BLANK = {**vars(logging.makeLogRecord({})), "thread": None, "threadName": None}
_STARTED = _BLANK["created"] - _BLANK["relativeCreated"] / 1000


def _emit(logger: logging.Logger, level: int, invocation_id: str, message: str, *arguments: object) -> None:
    """Log without looking for the caller, which costs more than the rest and is never shown; nor is the thread."""
    if not logger.isEnabledFor(level):
        return
    now = time.time()
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__.update(
        _BLANK,
        name=logger.name,
        levelno=level,
        levelname=logging.getLevelName(level),
        msg=message,
        args=arguments,
        created=now,
        msecs=now % 1 * 1000,
        relativeCreated=(now - _STARTED) * 1000,
        invocation_id=invocation_id,
    )
    logger.handle(record)


class FunctionLog:
    """Knows which invocation belongs to which function; `forward` is the sink of a worker channel."""

    def __init__(self) -> None:
        self._functions: dict[str, Function] = {}

    def began(self, invocation_id: str, function: Function) -> None:
        """From now on lines with this id are the function's."""
        self._functions[invocation_id] = function

    def ended(self, invocation_id: str) -> None:
        """Lines that come later belong to nobody."""
        self._functions.pop(invocation_id, None)

    def executing(self, function: Function, invocation_id: str, reason: str, details: Mapping[str, str] | None) -> None:
        """An invocation begins."""
        logger = logger_of(function)
        _emit(logger, logging.INFO, invocation_id, "Executing 'Functions.%s' (Reason='%s', Id=%s)", function.name, reason, invocation_id)
        if details:
            text = ", ".join(f"{name}: {value}" for name, value in details.items())
            _emit(logger, logging.INFO, invocation_id, "Trigger Details: %s", text)

    def succeeded(self, function: Function, invocation_id: str, duration: timedelta) -> None:
        """An invocation has ended well."""
        text = "Executed 'Functions.%s' (Succeeded, Id=%s, Duration=%dms)"
        _emit(logger_of(function), logging.INFO, invocation_id, text, function.name, invocation_id, duration.total_seconds() * 1000)

    def failed(self, function: Function, invocation_id: str, duration: timedelta, error: BaseException) -> None:
        """An invocation has failed; with the reason, which is said nowhere else."""
        text = "Executed 'Functions.%s' (Failed, Id=%s, Duration=%dms)\n%s"
        milliseconds = duration.total_seconds() * 1000
        _emit(logger_of(function), logging.ERROR, invocation_id, text, function.name, invocation_id, milliseconds, failure_text(error))

    def expired(self, function: Function, invocation_id: str, limit: str) -> None:
        """An invocation has run too long, and its worker with it."""
        text = "Timeout value of %s exceeded by function 'Functions.%s' (Id: '%s'). Initiating cancellation."
        _emit(logger_of(function), logging.ERROR, invocation_id, text, limit, function.name, invocation_id)
        text = "A function timeout has occurred. Restarting worker process executing invocationId '%s'."
        _emit(_host, logging.WARNING, "", text, invocation_id)

    def replaced(self) -> None:
        """There is a new worker in the place of one whose invocation ran too long."""
        _emit(_host, logging.WARNING, "", "Restart of language worker process(es) completed.")

    def forward(self, line: LogLine) -> None:
        """Log what user code logged or printed."""
        _emit(self._logger_of(line), LEVELS[line.level], line.invocation_id, line.message)

    def _logger_of(self, line: LogLine) -> logging.Logger:
        """Category of a line. What the app logs outside of invocations, while it is loaded say, is shown with what it prints."""
        if line.origin == "console":
            return _console
        function = self._functions.get(line.invocation_id)
        if function is None:
            return _worker if line.origin == "system" else _console
        return _named(f"Function.{function.name}.User") if line.origin == "user" else logger_of(function)


def failure_text(error: BaseException) -> str:
    """What ended an invocation, as the log shows it."""
    if isinstance(error, UserCodeFailed):
        message, payload, _ = str(error).partition(_PAYLOAD)
        stack = _of_the_orchestrator(error.stack) if payload else error.stack
        return f"Result: Failure\nException: {_DETAILS.sub('', message)}\nStack: {stack}"
    return str(error) if isinstance(error, LinariteError) else f"{type(error).__name__}: {error}"


_PAYLOAD = "\n\n$OutOfProcData$:"
"""Behind it, in the message of an orchestrator that failed, the SDK tells the host what had been asked for until then."""
_DETAILS = re.compile(r'\s*\n \{"\$type":"System\.Exception,.*')
"""What the runtime adds to an activity's failure for code that parses it."""
_BEHIND_THE_CAUSE = "\n\nThe above exception was the direct cause of the following exception:"
_SDK_FRAME = re.compile(r'  File "[^"]*[/\\]azure[/\\]durable_functions[/\\][^"]*", line .*\n(?:    .*\n)*')


def _of_the_orchestrator(stack: str) -> str:
    """The orchestrator's own part of a traceback: without the SDK's frames, and without its wrapping of the error."""
    return _DETAILS.sub("", _SDK_FRAME.sub("", stack.partition(_BEHIND_THE_CAUSE)[0]))
