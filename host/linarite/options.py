"""What whoever starts a host can choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

StorageMode = Literal["auto", "embedded", "azurite"]


@dataclass(frozen=True, slots=True)
class HostOptions:
    """None leaves a choice to the app's settings or to the default."""

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
    worker_arguments: str | None = None
    """Arguments of the worker's interpreter, as one text."""
    enable_auth: bool = False
    use_https: bool = False
    cors: tuple[str, ...] | None = None
    cors_credentials: bool = False
    user_log_level: str | None = None
    listens: bool = True
    """Open a port; without one the host is called in its own process."""
    client_port: int = 17071
    """Port of the durable client's own endpoint; 0: a free one, opened when it is first needed."""
    keeps: bool = True
    """Keep what is the host's own over its end; otherwise in memory."""
    uses_storage: bool = True
    """Let functions at storage accounts, and listen to their queues and containers."""

    @property
    def working_folder(self) -> Path | None:
        """Where the host keeps what is its own: hubs, keys, timers' status. None: in memory."""
        return self.folder / ".linarite" if self.keeps else None

    @property
    def keys_folder(self) -> Path | None:
        """Where keys are kept. None: in memory."""
        return self.working_folder / "keys" if self.working_folder is not None else None
