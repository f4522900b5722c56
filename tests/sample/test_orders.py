"""Orders: function chaining."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from linarite import EmbeddedHost

ORDER = {"customer": "ada@example.com", "item": "kettle", "quantity": 2}


def test_an_order_is_paid_and_shipped(linarite_app: EmbeddedHost) -> None:
    answer = linarite_app.http.post("/api/orders", json=ORDER)
    assert answer.status_code == 202

    linarite_app.run_until_idle()

    order = linarite_app.http.get(answer.json()["statusQueryGetUri"]).json()
    assert (order["runtimeStatus"], order["customStatus"]) == ("Completed", "shipped")
    assert order["output"] == {"payment": "P-ada@example.com-59.00", "tracking": "T-R-kettle-2", "amount": 59.0}


@pytest.mark.parametrize("body", [b"", b"kettle", b'{"item": "kettle"}'])
def test_what_is_no_order_is_refused(linarite_app: EmbeddedHost, body: bytes) -> None:
    answer = linarite_app.http.post("/api/orders", content=body)
    assert answer.status_code == 400
    assert answer.text.startswith("Send JSON such as")


def test_more_than_there_is_cannot_be_had(linarite_app: EmbeddedHost) -> None:
    order = linarite_app.durable.start_new("PlaceOrder", client_input={**ORDER, "quantity": 13})
    linarite_app.run_until_idle()
    status = linarite_app.durable.get_status(order)
    assert status is not None
    assert status.runtime_status == "Failed"
    assert "13 x kettle wanted, 12 in stock" in status.output


def test_nothing_is_shipped_if_the_payment_fails(linarite_app: EmbeddedHost) -> None:
    ship = Mock(return_value=None)
    linarite_app.replace("ProcessPayment", Mock(side_effect=RuntimeError("card declined")))
    linarite_app.replace("ScheduleShipping", ship)

    order = linarite_app.durable.start_new("PlaceOrder", client_input=ORDER)
    linarite_app.run_until_idle()

    status = linarite_app.durable.get_status(order)
    assert status is not None
    assert (status.runtime_status, status.custom_status) == ("Failed", "reserved")
    assert "card declined" in status.output
    ship.assert_not_called()
