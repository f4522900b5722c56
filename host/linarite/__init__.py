"""A local host for Azure Functions apps written in Python.

`EmbeddedHost` and `AsyncEmbeddedHost` run an app inside a Python program or a test; a `ManualClock` lets it pass the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linarite.clock import ManualClock as ManualClock
    from linarite.embedding.hosts import AsyncEmbeddedHost as AsyncEmbeddedHost
    from linarite.embedding.hosts import EmbeddedHost as EmbeddedHost

__version__ = "0.1.0"

_PLACES = {"AsyncEmbeddedHost": "linarite.embedding.hosts", "EmbeddedHost": "linarite.embedding.hosts", "ManualClock": "linarite.clock"}


def __getattr__(name: str) -> Any:
    """What is imported only if it is asked for: the command line is to start fast."""
    if name not in _PLACES:
        raise AttributeError(f"module 'linarite' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
