"""Answers of the management API, in the shapes that SDKs read.

Whoever reads an answer parses it as JSON whatever its content type, so a body is JSON or empty.
Source: the Durable extension's HttpApiHandler and ASP.NET's HttpError, as recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

ARGUMENT_ERROR = "One or more of the arguments submitted is incorrect"
FAILURE = "Something went wrong while processing your request"

ARGUMENT_EXCEPTION = "System.ArgumentException"
EXISTS_EXCEPTION = "DurableTask.Core.Exceptions.OrchestrationAlreadyExistsException"
JSON_EXCEPTION = "Newtonsoft.Json.JsonReaderException"
OPERATION_EXCEPTION = "System.InvalidOperationException"


class Refused(Exception):
    """The request is answered with this and nothing else is done."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The body as JSON."""
    answer = Response(msgspec.json.encode(body), status, headers)
    answer.headers["Content-Type"] = "application/json; charset=utf-8"
    return answer


def empty(status: int) -> Response:
    """Only a status code."""
    return Response(status_code=status)


def error(status: int, message: str) -> Response:
    """An error that no exception caused."""
    return json_answer({"Message": message}, status)


def failure(status: int, message: str, detail: str, exception: str) -> Response:
    """An error as an exception of .NET is told. `detail` is what went wrong; the Python SDK raises it when a start is refused with 400."""
    return json_answer({"Message": message, "ExceptionMessage": detail, "ExceptionType": exception, "StackTrace": ""}, status)


def argument_error(detail: str) -> Response:
    """400 for a parameter that is wrong, told twice: people read the first member, the SDK the second."""
    return failure(400, detail, detail, ARGUMENT_EXCEPTION)


def invalid_json(detail: str) -> Response:
    """400 for a body that is not JSON."""
    return failure(400, "Invalid JSON content", detail, JSON_EXCEPTION)
