"""Start to first answer of a trivial app, against importing the SDK alone.

    python -m bench.startup [RUNS]

Aim: the first 200 within 200 ms above `python -c "import azure.functions"`. Runs alternate, so that a drifting machine counts for both.
"""

from __future__ import annotations

import subprocess
import sys
import time

from bench.measure import APPS, child, free_port, spread, table, wait_for_answer


def first_answer() -> float:
    port = free_port()
    begin = time.perf_counter()
    with child(sys.executable, "-m", "linarite", "start", "--port", str(port), "--no-reload", cwd=APPS / "trivial"):
        wait_for_answer(port, "/api/hello")
        return time.perf_counter() - begin


def import_alone() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import azure.functions"], check=True)
    return time.perf_counter() - begin


def main(runs: int) -> None:
    first_answer(), import_alone()  # warms the disk cache
    pairs = [(first_answer(), import_alone()) for _ in range(runs)]
    table(
        ("", "median (min to max)"),
        [
            ("linarite start to first 200", spread([host for host, _ in pairs], "ms", 1000)),
            ('python -c "import azure.functions"', spread([sdk for _, sdk in pairs], "ms", 1000)),
            ("difference, pair by pair", spread([host - sdk for host, sdk in pairs], "ms", 1000)),
        ],
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
