"""How long a host waits for what on Azure Storage: shorter than the reference where only a local developer waits.

The reference hides a message for five minutes and polls an idle queue every 30 s. A host that is killed on a developer's machine should
leave nothing hidden that long, and a message of another process should not wait half a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

from linarite.settings import DurableSettings


@dataclass(frozen=True, slots=True)
class Timing:
    """All times in seconds. Leases and hidden messages are renewed at a third of their time."""

    control_hide_s: float = 30.0
    work_item_hide_s: float = 30.0
    lease_s: float = 30.0
    busy_pass_s: float = 1.0
    """Between passes over the partitions while one of them changes hands."""
    drain_s: float = 60.0
    app_lease_s: int = 60
    app_lease_retry_s: float = 15.0
    min_poll_s: float = 0.05
    max_poll_s: float = 1.0
    max_back_off_s: float = 600.0

    @classmethod
    def of(cls, settings: DurableSettings) -> Timing:
        """The times for an app: host.json's where it sets any."""
        default = cls()
        return cls(
            control_hide_s=settings.control_queue_visibility_s or default.control_hide_s,
            work_item_hide_s=settings.work_item_queue_visibility_s or default.work_item_hide_s,
            max_poll_s=settings.max_queue_polling_s or default.max_poll_s,
        )

    def back_off_s(self, delivery: int) -> float:
        """How long a message that was handed back stays away: 2, 4, 8, … seconds."""
        return min(2.0 ** min(delivery, 30), self.max_back_off_s)
