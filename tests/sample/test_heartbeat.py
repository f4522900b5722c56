"""A timer trigger."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from linarite import EmbeddedHost

NOON = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


@pytest.mark.linarite_app(now=NOON)
def test_it_beats_every_five_minutes(linarite_app: EmbeddedHost, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    linarite_app.time.advance(timedelta(minutes=4, seconds=59))
    assert "Still here" not in caplog.messages
    linarite_app.time.advance(timedelta(seconds=1))
    assert caplog.messages.count("Still here") == 1
    linarite_app.time.advance(timedelta(hours=1))
    assert caplog.messages.count("Still here") == 13


def test_it_can_be_fired_by_hand(linarite_app: EmbeddedHost, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    linarite_app.fire("heartbeat")
    assert "Still here" in caplog.messages
