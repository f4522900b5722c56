"""Processes that are not this one's children: who they are, and when they are gone."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """The processes below one, its children's children included. Needs /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            except OSError:  # gone meanwhile
                continue
            parents[int(entry.name)] = int(after_name[1])
    found = [pid]
    for parent in found:
        found += [child for child, above in parents.items() if above == parent]
    return found[1:]


async def gone(pid: int) -> None:
    """Wait for the end of a process, whoever's child it is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def command_of(pid: int) -> str:
    """The command line of a process, empty if it is gone."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


async def descendant(pid: int, word: str) -> int:
    """The process below `pid` in whose command line `word` is, once there is one; nothing tells of its birth, so it is looked for."""
    while True:
        for child in descendants(pid):
            if word in command_of(child):
                return child
        await asyncio.sleep(0.01)
