"""HTTP through the worker, against a bare uvicorn in the same run, and against a skeleton of what any such host has to do.

    python -m bench.http_throughput [SECONDS]

`bench.skeleton` is that. Each figure is the median of five slices, taken in turns: requests per second, and the processor time that one
takes in the server and in its worker. Aim: 30 % of the bare server's requests per second, at 1 and at 32 connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.measure import APPS, Served, child, free_port, host, processor_us, requests_per_second, table, wait_for_answer

SLICES = 5
BARE = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5"), (b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hello"})
"""


@contextlib.contextmanager
def uvicorn(app: str, folder: Path) -> Iterator[Served]:
    port = free_port()
    flags = ("--port", str(port), "--log-level", "warning", "--no-access-log", "--lifespan", "off")
    with child(sys.executable, "-m", "uvicorn", app, *flags, cwd=folder) as process:
        wait_for_answer(port)
        yield Served(port, process.pid)


class Figure(NamedTuple):
    """Requests per second; processor time per request in the server, and in its worker."""

    rate: float
    server_us: float
    worker_us: float

    def cell(self, bare: Figure) -> str:
        worker = f" + {self.worker_us:.0f}" if self.worker_us else ""
        return f"{self.rate:,.0f}/s ({self.rate / bare.rate:.0%}), {self.server_us:.0f}{worker} us"


def figure(served: Served, path: str, connections: int, seconds: float) -> Figure:
    before = processor_us(served.process_id)
    rate = asyncio.run(requests_per_second(served.port, path, connections, seconds))
    after = processor_us(served.process_id)
    own_us, worker_us = ((late - early) / (rate * seconds) for late, early in zip(after, before, strict=True))
    return Figure(rate, own_us, worker_us)


def main(seconds: float, folder: Path) -> None:
    (folder / "bare.py").write_text(BARE, "utf-8")
    with (
        host(APPS / "trivial") as ours,
        uvicorn("bench.skeleton:app", Path(__file__).parents[1]) as skeleton,
        uvicorn("bare:app", folder) as bare,
    ):
        doors = ((ours, "/api/hello"), (skeleton, "/"), (bare, "/"))
        rows = []
        for connections in (1, 32):
            slices = [[figure(served, path, connections, seconds / SLICES) for served, path in doors] for _ in range(SLICES)]
            medians = [Figure(*map(statistics.median, zip(*figures, strict=True))) for figures in zip(*slices, strict=True)]
            rows.append((str(connections), *(one.cell(medians[-1]) for one in medians)))
    table(("connections", "linarite", "skeleton", "bare uvicorn"), rows)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0, Path(scratch))
