"""Which invocation is running here: in this task, or else in this thread; and whether what runs here is the app's."""

from __future__ import annotations

import threading
from contextvars import Context, ContextVar

_invocation_id: ContextVar[str] = ContextVar("invocation_id", default="")
_is_app: ContextVar[bool] = ContextVar("is_app", default=False)

thread_local = threading.local()
"""Handed to user code as `context.thread_local_storage`; a thread of its own sets `invocation_id` on it to be told apart."""


def invocation_id() -> str:
    """Id of the invocation whose code is running, or "" outside of one. Tasks inherit it; threads of the app's own do not."""
    return _invocation_id.get() or getattr(thread_local, "invocation_id", None) or ""


def app_context() -> Context:
    """The context of an app's code. Matters where the host lives in the same process."""
    context = Context()
    context.run(_is_app.set, True)
    return context


def context_of(invocation_id: str, app: Context) -> Context:
    """A new context to run an invocation in: the app's; nothing set by another invocation is seen there."""
    context = app.copy()
    context.run(_invocation_id.set, invocation_id)
    return context


def is_user_code() -> bool:
    """Whether the running code is the app's (or ours on its behalf), not the host's."""
    return _is_app.get() or bool(invocation_id())
