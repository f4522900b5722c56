"""The stock monitor: time passes when the test says so."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain, repeat
from unittest.mock import Mock

from linarite import EmbeddedHost

WISH = {"percent": 2, "every_seconds": 3600, "for_minutes": 24 * 60}


def test_a_price_that_moves_is_told(linarite_app: EmbeddedHost) -> None:
    tell = Mock(return_value=None)
    linarite_app.replace("GetStockPrice", Mock(side_effect=[100.0, 101.0, 99.0, 103.0]))
    linarite_app.replace("NotifyStockPercentageChange", tell)

    linarite_app.http.post("/api/stock/contoso", json=WISH).raise_for_status()
    linarite_app.time.advance(timedelta(hours=3))

    tell.assert_called_once_with(change={"symbol": "CONTOSO", "change": 3.0})
    status = linarite_app.durable.get_status("stock-CONTOSO")
    assert status is not None
    assert status.output == {"symbol": "CONTOSO", "moved": True, "change": 3.0}


def test_a_price_that_does_not_move_is_looked_at_until_time_is_up(linarite_app: EmbeddedHost) -> None:
    look = Mock(side_effect=chain([100.0], repeat(101.0)))
    linarite_app.replace("GetStockPrice", look)

    linarite_app.http.post("/api/stock/contoso", json=WISH).raise_for_status()
    linarite_app.run_until_idle(within=timedelta(days=2))

    assert look.call_count == 25
    status = linarite_app.durable.get_status("stock-CONTOSO")
    assert status is not None
    assert status.output == {"symbol": "CONTOSO", "moved": False}


def test_a_symbol_is_watched_once_at_a_time(linarite_app: EmbeddedHost) -> None:
    assert linarite_app.http.post("/api/stock/contoso", json=WISH).status_code == 202
    assert linarite_app.http.post("/api/stock/contoso", json=WISH).status_code == 409
    linarite_app.durable.terminate("stock-CONTOSO", "enough")
    linarite_app.run_until_idle()
    assert linarite_app.http.post("/api/stock/contoso", json=WISH).status_code == 202
