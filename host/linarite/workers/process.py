"""A child process and the line to it, as the event loop sees them.

The line is a socket pair that only host and child hold, or loopback TCP with a token where sockets cannot be handed down.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linarite.clock import SystemClock, within
from linarite.workers import wire

_TOKEN_VARIABLE = "LINARITE_WORKER_TOKEN"
_TOKEN_S = 5.0


@dataclass(frozen=True, slots=True)
class Channel:
    """Both ends of a line that is not connected yet. `theirs` None: the child calls `ours` and shows the token."""

    ours: socket.socket
    theirs: socket.socket | None
    token: str = ""

    @classmethod
    def open(cls) -> Channel:
        """The kind of line that this system allows."""
        return cls.over_tcp() if sys.platform == "win32" else cls(*socket.socketpair())

    @classmethod
    def over_tcp(cls) -> Channel:
        """A line that the child has to call, and to show the token on."""
        return cls(socket.create_server(("127.0.0.1", 0)), None, secrets.token_hex(32))

    @property
    def argument(self) -> str:
        """What the child is told on its command line."""
        return str(self.ours.getsockname()[1] if self.theirs is None else self.theirs.fileno())

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """The child's environment; the token is in it, not on the command line, which other users can read."""
        return {**given, _TOKEN_VARIABLE: self.token} if self.token else dict(given)


async def start_process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], channel: Channel, console_line: Callable[[int, str], None]
) -> Process:
    """Start the child; its end of the channel is then its own. Raises OSError if there is no such program."""
    try:
        _, process = await asyncio.get_running_loop().subprocess_exec(
            lambda: Process(console_line),
            *command,
            stdin=subprocess.DEVNULL,
            cwd=str(folder),
            env=channel.environment(environment),
            pass_fds=() if channel.theirs is None else (channel.theirs.fileno(),),
            start_new_session=True,  # Ctrl+C at the terminal is for the host, which lets its children finish what they have
        )
    except OSError:
        channel.ours.close()
        raise
    finally:
        if channel.theirs is not None:
            channel.theirs.close()  # or the end of the child would not be the end of the line
    return process


class Process(asyncio.SubprocessProtocol):
    """The child: its raw output, line by line, and its end. `console_line` takes the descriptor (1 or 2) and a line."""

    def __init__(self, console_line: Callable[[int, str], None]) -> None:
        self._console_line = console_line
        self._transport: asyncio.SubprocessTransport | None = None
        self._rest = {1: b"", 2: b""}
        self.id = 0
        self.exit_code: int | None = None
        self.exited = asyncio.Event()
        self.output_ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's does not inherit from asyncio's
        self.id = transport.get_pid()  # type: ignore[attr-defined]

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._rest[fd] = (self._rest[fd] + data).split(b"\n")
        for line in lines:
            self._say(fd, line)

    def process_exited(self) -> None:
        assert self._transport is not None
        self.exit_code = self._transport.get_returncode()
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.output_ended.set()

    def kill(self) -> None:
        """End the process, if it has not ended."""
        if self.exit_code is None and self._transport is not None:
            with contextlib.suppress(ProcessLookupError):
                self._transport.kill()

    def close(self) -> None:
        """Let go of the pipes; a last line without an end is said first."""
        for descriptor, rest in self._rest.items():
            if rest:
                self._say(descriptor, rest)
        self._rest = {1: b"", 2: b""}
        if self._transport is not None:
            self._transport.close()

    def exit_text(self) -> str:
        """How it ended, e.g. `exited with code 7 (0x7)`."""
        code = self.exit_code
        assert code is not None
        return f"exited with code {code} (0x{code:X})" if code >= 0 else f"was ended by {_signal_name(-code)}"

    def _say(self, descriptor: int, line: bytes) -> None:
        self._console_line(descriptor, line.decode(errors="replace").rstrip("\r"))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Line(asyncio.Protocol):
    """Our end of the socket; `received` is called with each frame."""

    def __init__(self, received: Callable[[wire.Message, bytes], None]) -> None:
        self._received = received
        self._parser = wire.FrameParser()
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self.closed = asyncio.Event()

    async def connect(self, channel: Channel, exited: asyncio.Event) -> None:
        """Begin to speak; without a caller who knows the token, until the child has exited, the line is closed."""
        loop = asyncio.get_running_loop()
        channel.ours.setblocking(False)
        if channel.theirs is not None:
            await loop.create_unix_connection(lambda: self, sock=channel.ours)
            return
        with channel.ours:
            caller = await _first_with_token(channel.ours, channel.token, exited)
        if caller is None:
            self.closed.set()
        else:
            await loop.connect_accepted_socket(lambda: self, caller)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's does not inherit from asyncio's

    def data_received(self, data: bytes) -> None:
        for message, body in self._parser.feed(data):
            self._received(message, body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def send(self, frame: bytes) -> None:
        """Queue a frame; it is dropped if the line is closed. What one turn of the loop sends leaves in one write."""
        self._waiting.append(frame)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(waiting)

    def close(self) -> None:
        """Hang up, which the child takes for the end."""
        self._write()
        if self._transport is None:
            self.closed.set()
        else:
            self._transport.abort()


async def _first_with_token(listener: socket.socket, token: str, exited: asyncio.Event) -> socket.socket | None:
    """The first caller that shows the token; None if the child ends before."""
    gone = asyncio.ensure_future(exited.wait())
    try:
        while True:
            call = asyncio.ensure_future(asyncio.get_running_loop().sock_accept(listener))
            await asyncio.wait({call, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                call.cancel()
                return None
            caller, _ = call.result()
            if secrets.compare_digest(await _shown_by(caller, len(token)), token.encode()):
                return caller
            caller.close()
    finally:
        gone.cancel()


async def _shown_by(caller: socket.socket, size: int) -> bytes:
    caller.setblocking(False)
    loop = asyncio.get_running_loop()
    shown = b""
    with contextlib.suppress(TimeoutError, OSError):
        while len(shown) < size and (part := await within(SystemClock(), _TOKEN_S, loop.sock_recv(caller, size - len(shown)))):
            shown += part
    return shown
