"""What the app's interpreter is started with before the worker's script: a debugger, as `--debug` asks for or an editor hands it over.

Editors put `-m debugpy --listen 127.0.0.1:9091`, or the path of a debugpy of their own instead of `-m debugpy`, into the setting
`languageWorkers__python__arguments` or behind `--language-worker`. Of these only where the debugger listens, and whether it is waited
for, means something here; everything else is the interpreter's.
Source: azure-functions-core-tools, StartHostAction; functions-host section 9.7.
"""

from __future__ import annotations

import asyncio
import shlex
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from linarite.errors import OperatorError

DEFAULT_DEBUG_PORT = 9091
"""Where editors look for the debugger of a Functions app."""

_LOOPBACK = "127.0.0.1"
_WAIT = "--wait-for-client"
_NO_FROZEN = ("-X", "frozen_modules=off")
"""Or debugpy warns that it may miss breakpoints."""
_LEAVES_S = 3.0
"""How long the debugger of a worker that has ended may keep its port."""
_LOOK_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Debugger:
    """Where a debugger of the worker listens. `waits`: the app is loaded once somebody has attached."""

    host: str
    port: int
    waits: bool = False

    async def until_port_is_free(self) -> None:
        """Wait for the debugger of the worker before, which outlives it a little. Raises OperatorError if the port remains taken.

        Another program's port is nothing one could await.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + _LEAVES_S
        while (problem := _bind(self.host, self.port)) is not None:
            if loop.time() >= until:
                raise OperatorError(
                    f"The debugger cannot listen on {self.host}:{self.port}: {problem}. End what uses that port, or choose another with "
                    "--debug PORT."
                )
            await asyncio.sleep(_LOOK_AGAIN_S)


@dataclass(frozen=True, slots=True)
class InterpreterArguments:
    """`words` stand before the script. With a `debugger` there can be one process only."""

    words: tuple[str, ...] = ()
    debugger: Debugger | None = None


def debugpy_arguments(port: int, *, waits: bool) -> InterpreterArguments:
    """debugpy from the app's packages, on a port of this machine."""
    return InterpreterArguments((*_NO_FROZEN, "-m", "debugpy", "--listen", f"{_LOOPBACK}:{port}"), Debugger(_LOOPBACK, port, waits))


def parsed_arguments(text: str, *, waits: bool = False) -> InterpreterArguments:
    """What an editor asks for. Raises OperatorError if debugpy is to listen nowhere."""
    words = _split(text)
    if not any(PurePath(word).name == "debugpy" for word in words) or "--listen" not in words:
        return InterpreterArguments(tuple(words))
    host, port = _address(words, text)
    debugger = Debugger(host, port, waits or _WAIT in words)
    return InterpreterArguments((*_NO_FROZEN, *(word for word in words if word != _WAIT)), debugger)


def _split(text: str) -> list[str]:
    if sys.platform != "win32":
        return shlex.split(text)
    return [word.strip('"') for word in shlex.split(text, posix=False)]  # a backslash is part of a path there


def _address(words: Sequence[str], text: str) -> tuple[str, int]:
    """Where `--listen [HOST:]PORT` says."""
    given = words[words.index("--listen") + 1] if words[-1] != "--listen" else ""
    host, _, port = given.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise OperatorError(f"The worker's arguments are {text!r}; expected a port such as 9091 or 127.0.0.1:9091 after --listen.")
    return host or _LOOPBACK, int(port)


def _bind(host: str, port: int) -> str | None:
    """Why a port cannot be listened on, or None."""
    try:
        family, _, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
    except OSError as error:
        return error.strerror or str(error)
    return None
