"""The host: reads the settings, brings the worker up, builds what serves and fires the app's functions, and runs it.

The one module that knows concrete classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from linarite.storage_resolution import StorageMode


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What whoever starts a host can choose; None leaves the choice to the app's settings or to the default."""

    folder: Path
    port: int | None = None
    address: str | None = None
    python: Path | None = None
    storage: StorageMode | None = None
    functions: tuple[str, ...] = ()
    reload: bool = True
    in_process: bool = False
    debug_port: int | None = None
    debug_wait: bool = False
    enable_auth: bool = False
    use_https: bool = False
    cors: tuple[str, ...] | None = None
    cors_credentials: bool = False
