"""Which invocation is running here: in this task, or else in this thread."""

from __future__ import annotations

import threading
from contextvars import Context, ContextVar

_invocation_id: ContextVar[str] = ContextVar("invocation_id", default="")
_worker_threads: set[int] = set()

thread_local = threading.local()
"""Handed to user code as `context.thread_local_storage`; a thread of its own sets `invocation_id` on it to be told apart."""


def invocation_id() -> str:
    """Id of the invocation whose code is running, or "" outside of one. Tasks inherit it; threads of the app's own do not."""
    return _invocation_id.get() or getattr(thread_local, "invocation_id", None) or ""


def context_of(invocation_id: str) -> Context:
    """A new context to run an invocation in; nothing set by another one is seen there."""
    context = Context()
    context.run(_invocation_id.set, invocation_id)
    return context


def adopt_thread() -> None:
    """Count the running thread among the worker's own. Matters where the host lives in the same process."""
    _worker_threads.add(threading.get_ident())


def is_user_code() -> bool:
    """Whether the running code is the app's (or ours on its behalf), not the host's."""
    return threading.get_ident() in _worker_threads or bool(invocation_id())
