"""Expenses wait for a person. These tests are async: what awaits a host does not hold up the test's own loop."""

from __future__ import annotations

from datetime import timedelta

import pytest

from linarite import AsyncEmbeddedHost

EXPENSE = {"who": "ada", "amount": 120, "within_seconds": 3600}


async def submitted(app: AsyncEmbeddedHost) -> str:
    answer = await app.http.post("/api/expenses", json=EXPENSE)
    await app.run_until_idle()
    return str(answer.json()["id"])


async def outcome(app: AsyncEmbeddedHost, instance_id: str) -> object:
    await app.run_until_idle()
    status = await app.durable.get_status(instance_id)
    assert status is not None
    return status.output


@pytest.mark.parametrize(("verdict", "expected"), [("approve", "approved"), ("reject", "rejected")])
async def test_a_manager_decides(linarite_async_app: AsyncEmbeddedHost, verdict: str, expected: str) -> None:
    expense = await submitted(linarite_async_app)
    answer = await linarite_async_app.http.post(f"/api/expenses/{expense}/{verdict}")
    assert answer.status_code == 202
    assert await outcome(linarite_async_app, expense) == expected


async def test_without_an_answer_in_time_the_expense_is_escalated(linarite_async_app: AsyncEmbeddedHost) -> None:
    expense = await submitted(linarite_async_app)
    await linarite_async_app.time.advance(timedelta(minutes=59))
    assert await outcome(linarite_async_app, expense) is None
    await linarite_async_app.time.advance(timedelta(minutes=1))
    assert await outcome(linarite_async_app, expense) == "escalated"
