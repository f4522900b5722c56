"""HTTP through the worker, against a bare uvicorn in the same run.

    python -m bench.http_throughput [SECONDS]

Aim: 30 % of the bare server's requests per second, at 1 and at 32 connections.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bench.measure import APPS, child, free_port, host, requests_per_second, table, wait_for_answer

BARE = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5"), (b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hello"})
"""


def main(seconds: float, folder: Path) -> None:
    (folder / "bare.py").write_text(BARE, "utf-8")
    bare_port = free_port()
    flags = ("--port", str(bare_port), "--log-level", "warning", "--no-access-log", "--lifespan", "off")
    with child(sys.executable, "-m", "uvicorn", "bare:app", *flags, cwd=folder), host(APPS / "trivial") as port:
        wait_for_answer(bare_port)
        rows = []
        for connections in (1, 32):
            ours = asyncio.run(requests_per_second(port, "/api/hello", connections, seconds))
            bare = asyncio.run(requests_per_second(bare_port, "/", connections, seconds))
            rows.append((str(connections), f"{ours:,.0f}/s", f"{bare:,.0f}/s", f"{ours / bare:.0%}"))
    table(("connections", "linarite", "bare uvicorn", "ratio"), rows)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0, Path(scratch))
