from __future__ import annotations

from linarite.settings import DurableSettings
from linarite.taskhub.azure.timing import Timing


def test_host_json_wins_where_it_sets_a_time() -> None:
    timing = Timing.of(DurableSettings(control_queue_visibility_s=300, max_queue_polling_s=30))
    assert (timing.control_hide_s, timing.work_item_hide_s, timing.max_poll_s) == (300, 30, 30)
    assert Timing.of(DurableSettings()) == Timing()


def test_the_back_off_doubles_up_to_ten_minutes() -> None:
    assert [Timing().back_off_s(delivery) for delivery in (1, 2, 9, 10, 1000)] == [2, 4, 512, 600, 600]
