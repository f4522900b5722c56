"""Which time zone schedules run in."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from linarite.windows_zones import _ZONES, iana_name
from linarite.zones import UnknownTimeZone, machine_zone, named_zone, schedule_zone


@pytest.mark.parametrize(
    ("settings", "zone"),
    [
        ({"WEBSITE_TIME_ZONE": "Europe/Berlin"}, "Europe/Berlin"),
        ({"WEBSITE_TIME_ZONE": "W. Europe Standard Time"}, "Europe/Berlin"),
        ({"WEBSITE_TIME_ZONE": "pacific standard time"}, "America/Los_Angeles"),
        ({"WEBSITE_TIME_ZONE": "UTC-09"}, "Etc/GMT+9"),
        ({"WEBSITE_TIME_ZONE": "UTC+12"}, "Etc/GMT-12"),
        ({"WEBSITE_TIME_ZONE": " Asia/Tokyo ", "TZ": "Europe/Paris"}, "Asia/Tokyo"),
        ({"TZ": ":Europe/Paris"}, "Europe/Paris"),
    ],
)
def test_a_setting_chooses(settings: dict[str, str], zone: str) -> None:
    assert schedule_zone(settings) == ZoneInfo(zone)


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "../etc/passwd", "/etc/passwd", "Mountain"])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimeZone, match=f"^WEBSITE_TIME_ZONE is '{name}'; expected an IANA time zone"):
        schedule_zone({"WEBSITE_TIME_ZONE": name})


def test_a_tz_that_python_cannot_read_means_utc_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert schedule_zone({"TZ": "CET-1CEST,M3.5.0"}) == ZoneInfo("UTC")
    assert caplog.messages == ["TZ is 'CET-1CEST,M3.5.0', which names no time zone here; schedules run in UTC."]


def test_without_a_setting_it_is_the_machine_s() -> None:
    assert schedule_zone({}) == machine_zone()


def test_every_windows_zone_is_one_of_the_database() -> None:
    assert len(_ZONES) > 130
    assert [name for name in _ZONES if named_zone(name) is None] == []


def test_a_name_of_neither_kind_is_none() -> None:
    assert iana_name("Europe/Berlin") is None
