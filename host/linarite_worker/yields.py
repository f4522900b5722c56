"""On which line an orchestrator yields a task: it is replayed once more, watched by the interpreter's profile function.

Only done when the host asks, after a replay that does not fit its history; a usual episode costs nothing for it. The SDK and the app's
generator are left as they are: each `yield` is a return of the generator's frame, and its value is the SDK's task.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from linarite_worker.loader import inner_function


def finding(call: Callable[..., Any], task_id: int | None) -> Callable[..., str]:
    """Something to call in an orchestrator's place: JSON text of the first place that yields the task with this id, None for where it ends.

    `{"file", "line", "name"}`, `name` being what the task calls, "" if that has no name; or null.
    """
    code = getattr(inner_function(call), "__code__", None)

    def find(**given: Any) -> str:
        yields = _Yields(code)
        before = sys.getprofile()
        sys.setprofile(yields.watch)
        try:
            call(**given)
        except Exception:  # it is known already what comes of it
            pass
        finally:
            sys.setprofile(before)
        return json.dumps(yields.place(task_id))

    return find


class _Yields:
    """The yields of a replay, in order: file, line and task; the end of the orchestrator itself has no task."""

    def __init__(self, code: Any) -> None:
        self._code = code
        self._line = 0
        self._seen: list[tuple[str, int, Any]] = []

    def watch(self, frame: FrameType, event: str, value: Any) -> None:
        code = frame.f_code
        if event != "return" or not code.co_flags & inspect.CO_GENERATOR:
            return
        is_outermost, before = code is self._code, self._line
        if is_outermost:
            self._line = frame.f_lineno
        if hasattr(value, "action_repr"):
            if not self._seen or self._seen[-1][2] is not value:  # what is delegated to (`yield from`) comes first, and is the line meant
                self._seen.append((code.co_filename, frame.f_lineno, value))
        elif is_outermost and frame.f_lineno != before:  # or else it has not moved on: an orchestrator that waits is closed in the end
            self._seen.append((code.co_filename, frame.f_lineno, None))

    def place(self, task_id: int | None) -> dict[str, Any] | None:
        if task_id is None:
            return _place(*self._seen[-1][:2], "") if self._seen else None
        for file, line, task in self._seen:
            for leaf in _leaves(task):
                if leaf.id == task_id:
                    return _place(file, line, _name_of(leaf))
        return None


def _place(file: str, line: int, name: str) -> dict[str, Any]:
    return {"file": file, "line": line, "name": name}


def _leaves(task: Any) -> Iterator[Any]:
    """The tasks that have ids of their own."""
    children = getattr(task, "children", None)
    if children is None:
        if task is not None:
            yield task
        return
    for child in children:
        yield from _leaves(child)


def _name_of(task: Any) -> str:
    action = task.action_repr[0] if isinstance(task.action_repr, list) else task.action_repr
    return str(getattr(action, "function_name", ""))
