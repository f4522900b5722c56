"""`linarite`, and `python -m linarite`."""

from __future__ import annotations

import signal


def main() -> None:
    """Entry point of the command. A Ctrl+C before anything runs ends it without a word; a host that runs takes it as its order to stop."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from linarite.cli import main as run

    run()


if __name__ == "__main__":
    main()
