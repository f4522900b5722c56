"""What the benchmarks share: a host as a child process, a small load generator, tables."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

APPS = Path(__file__).parent / "apps"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def child(*command: str, cwd: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end of the block."""
    process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Served(NamedTuple):
    """A server that answers."""

    port: int
    process_id: int


@contextlib.contextmanager
def host(app: Path, *flags: str) -> Iterator[Served]:
    """`linarite start` in a folder, once the first request is answered."""
    port = free_port()
    with child(sys.executable, "-m", "linarite", "start", "--port", str(port), "--no-reload", *flags, cwd=app) as process:
        wait_for_answer(port)
        yield Served(port, process.pid)


def processor_us(process_id: int) -> tuple[float, float]:
    """Processor time that a process has taken, and its children have. From Linux's `/proc`."""
    threads = list(Path(f"/proc/{process_id}/task").iterdir())
    own = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1000
    children = [int(text) for thread in threads for text in (thread / "children").read_text().split()]
    return own, sum(sum(processor_us(one)) for one in children)


def wait_for_answer(port: int, path: str = "/", limit_s: float = 60) -> float:
    """Seconds until a request gets any answer. There is nothing to be told by, so it asks every two milliseconds."""
    begin = time.perf_counter()
    request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
    while time.perf_counter() - begin < limit_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(request)
            if connection.recv(64).startswith(b"HTTP/1.1 200"):
                return time.perf_counter() - begin
        time.sleep(0.002)
    raise TimeoutError(f"no answer from port {port} within {limit_s:g} s")


async def requests_per_second(port: int, path: str, connections: int, seconds: float) -> float:
    """Answers per second over keep-alive connections, each with one request at a time."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    end = time.perf_counter() + seconds

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answered = 0
        while time.perf_counter() < end:
            writer.write(request)
            await _read_answer(reader)
            answered += 1
        writer.close()
        return answered

    begin = time.perf_counter()
    return sum(await asyncio.gather(*(one() for _ in range(connections)))) / (time.perf_counter() - begin)


async def _read_answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode("latin-1"))
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        size = -1
        while size:
            size = int(await reader.readline(), 16)
            await reader.readexactly(size + 2)
        return
    length = int(lowered.split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, ["-" * width for width in widths], *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def spread(values: Sequence[float], unit: str, scale: float = 1.0) -> str:
    """`median (min to max) unit`."""
    scaled = [value * scale for value in values]
    return f"{statistics.median(scaled):.1f} ({min(scaled):.1f} to {max(scaled):.1f}) {unit}"
