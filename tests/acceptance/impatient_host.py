"""A host whose leases and hidden messages run out soon, so that what it held when it was killed comes back within a test's patience.

Run as a script, with the arguments of `linarite`.
"""

from __future__ import annotations

from linarite.cli import main
from linarite.settings import DurableSettings
from linarite.taskhub.azure.timing import Timing


def _soon(_: DurableSettings) -> Timing:
    return Timing(control_hide_s=2, work_item_hide_s=2, lease_s=3, busy_pass_s=0.2, max_poll_s=0.25)


if __name__ == "__main__":
    Timing.of = staticmethod(_soon)  # type: ignore[method-assign, assignment]
    main()
