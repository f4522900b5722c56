"""Retry policies as written in files and with the decorator."""

from __future__ import annotations

from typing import Any

import pytest

from linarite.metadata import RetrySettings
from linarite.retries import BadRetryPolicy, decorated_retry_policy, retry_policy


def test_a_fixed_delay_of_a_file() -> None:
    policy = retry_policy({"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:05"}, "f")
    assert policy == RetrySettings(strategy="fixedDelay", max_retries=3, delay_s=5.0)


def test_names_and_strategies_count_in_any_case() -> None:
    raw = {"Strategy": "ExponentialBackoff", "MaxRetryCount": "-1", "minimuminterval": "00:00:04", "MAXIMUMINTERVAL": "00:15:00"}
    assert retry_policy(raw, "f") == RetrySettings(strategy="exponentialBackoff", max_retries=-1, minimum_s=4.0, maximum_s=900.0)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, "f: strategy is missing; expected fixedDelay or exponentialBackoff."),
        ({"strategy": "often"}, "f: strategy is 'often'; expected fixedDelay or exponentialBackoff."),
        ({"strategy": "fixedDelay"}, "f: maxRetryCount is missing; expected a number of retries, or -1 for no limit."),
        ({"strategy": "fixedDelay", "maxRetryCount": -2}, "f: maxRetryCount is '-2'; expected a number of retries, or -1 for no limit."),
        ({"strategy": "fixedDelay", "maxRetryCount": 1}, "f: delayInterval is missing; expected a timespan such as 00:00:05."),
        (
            {"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "soon"},
            "f: delayInterval is 'soon'; expected a timespan such as 00:00:05.",
        ),
        (
            {"strategy": "exponentialBackoff", "maxRetryCount": 1, "minimumInterval": "00:00:05"},
            "f: maximumInterval is missing; expected a timespan such as 00:00:05.",
        ),
        (
            {"strategy": "exponentialBackoff", "maxRetryCount": 1, "minimumInterval": "00:00:05", "maximumInterval": "00:00:01"},
            "f: the minimum interval (5 s) is longer than the maximum interval (1 s).",
        ),
    ],
)
def test_an_incomplete_policy_is_refused(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRetryPolicy) as caught:
        retry_policy(raw, "f")
    assert str(caught.value) == message


def test_the_decorator_writes_texts_and_clock_times() -> None:
    policy = decorated_retry_policy({"strategy": "fixed_delay", "max_retry_count": "2", "delay_interval": "00:01:30"}, "f")
    assert policy == RetrySettings(strategy="fixedDelay", max_retries=2, delay_s=90.0)


def test_any_other_decorated_strategy_is_exponential_and_its_intervals_may_be_missing() -> None:
    policy = decorated_retry_policy({"strategy": "exponential_backoff", "max_retry_count": "3"}, "f")
    assert policy == RetrySettings(strategy="exponentialBackoff", max_retries=3, minimum_s=0.0, maximum_s=2147483647.0)


def test_a_decorated_interval_of_days_fails_as_in_the_worker_on_azure() -> None:
    with pytest.raises(BadRetryPolicy, match="expected HH:MM:SS, less than a day"):
        decorated_retry_policy({"strategy": "fixed_delay", "max_retry_count": "2", "delay_interval": "1.00:00:00"}, "f")
