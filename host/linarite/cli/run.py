"""Runs a host at the terminal: banner, listing, signals."""

from __future__ import annotations

from linarite.host import HostOptions


async def run(options: HostOptions, *, user_level: str | None, verbose: bool, as_json: bool) -> int:
    """Serve until told to stop; the exit code."""
    raise NotImplementedError(options, user_level, verbose, as_json)
