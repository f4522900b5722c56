"""An exception, told so that the app's author finds the place: without frames of ours."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from pathlib import Path
from typing import Any

_HERE = str(Path(__file__).parent) + os.sep
_FOREIGN_PARTS = ("site-packages", ".python_packages", ".venv", "dist-packages")


class LoadError(Exception):
    """The app declares something that cannot work. `source` is the file and line to look at, `hint` what to do, if there is any."""

    def __init__(self, message: str, source: tuple[str, int] | None = None, type_name: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.source = source
        self.hint = hint
        self.type_name = type_name or "FunctionLoadError"


class BadValue(Exception):
    """A function gave something that its binding does not take: told as the Functions worker tells it. `hint`: what it does take."""

    def __init__(self, message: str, type_name: str, hint: str) -> None:
        super().__init__(message)
        self.type_name = type_name
        self.hint = hint


def stack_text(error: BaseException) -> str:
    """Frames of an exception, outermost first, as `traceback` formats them, preceded by the exceptions that led to it."""
    summary = traceback.TracebackException(type(error), error, error.__traceback__)
    _prune(summary)
    frames = "".join(summary.stack.format())
    if (cause := summary.__cause__) is not None:
        link = "The above exception was the direct cause of the following exception:"
    elif (cause := summary.__context__) is not None and not summary.__suppress_context__:
        link = "During handling of the above exception, another exception occurred:"
    else:
        return frames
    return "".join(cause.format()) + f"\n{link}\n\n" + frames


def from_app_on(error: BaseException, folder: str) -> BaseException:
    """The error without the frames of a framework that called the app; where no frame is the app's, with all of them."""
    trace = error.__traceback__
    while trace is not None and not _is_of_app(trace.tb_frame.f_code.co_filename, folder):
        trace = trace.tb_next
    return error if trace is None else error.with_traceback(trace)


def _prune(summary: traceback.TracebackException) -> None:
    """Take our frames, and the import system's, out of an exception and what it hangs on."""
    seen: set[int] = set()
    waiting = [summary]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.stack[:] = [frame for frame in one.stack if not _is_ours(frame.filename)]
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]


def _is_ours(filename: str) -> bool:
    return filename.startswith((_HERE, "<frozen importlib"))


def type_name(error: BaseException) -> str:
    """An exception's name, as its author knows it."""
    return error.type_name if isinstance(error, LoadError | BadValue) else type(error).__name__


def load_failure(error: BaseException, folder: str, function_name: str = "") -> dict[str, Any]:
    """Fields of a `LoadFailure`: type, message, the app's own frames, and the line to look at."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_of_app(frame.filename, folder)]
    failure: dict[str, Any] = {
        "type_name": type_name(error),
        "message": str(error),
        "traceback": "".join(traceback.format_list(frames)),
        "function_name": function_name,
    }
    if isinstance(error, SyntaxError) and error.filename:
        failure["message"] = error.msg
        failure |= _place(error.filename, error.lineno or 1, error.text, error.offset or 0)
    elif isinstance(error, LoadError):
        failure["hint"] = error.hint
        if error.source is not None:
            failure |= _place(*error.source)
    elif frames:
        failure |= _place(frames[-1].filename, frames[-1].lineno or 1)
    if isinstance(error, ModuleNotFoundError):
        failure["hint"] = (
            f"If it is a package, have it in requirements.txt and run `{sys.executable} -m pip install -r requirements.txt` in {folder}."
        )
    return failure


def _is_of_app(filename: str, folder: str) -> bool:
    return filename.startswith(folder + os.sep) and not any(part in _FOREIGN_PARTS for part in Path(filename).parts)


def _place(file: str, line: int, text: str | None = None, caret: int = 0) -> dict[str, Any]:
    shown = text if text is not None else linecache.getline(file, line)
    return {"source": {"file": file, "line": line}, "text": shown.rstrip("\n"), "caret": caret}
