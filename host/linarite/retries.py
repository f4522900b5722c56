"""Retry policies as they are written: in host.json, in a function.json, or with the decorator.

When to try again is the invoker's work.
Source: azure-functions-host, RetryOptions and its validation; azure-functions-python-worker, functions_metadata (retry).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from linarite.errors import AppError
from linarite.metadata import RetrySettings
from linarite.timespans import timespan

FIXED, EXPONENTIAL = "fixedDelay", "exponentialBackoff"
_STRATEGIES = {"fixeddelay": FIXED, "exponentialbackoff": EXPONENTIAL}
_LONGEST_S = 2**31 - 1
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]?\d):([0-5]?\d)", re.ASCII)


class BadRetryPolicy(AppError):
    """A retry policy is incomplete or holds a value that it cannot have."""


def retry_policy(raw: Mapping[str, Any], where: str) -> RetrySettings:
    """A policy of host.json or function.json: `strategy`, `maxRetryCount` and intervals, names in any case. `where` is for the message."""
    given = {name.lower(): value for name, value in raw.items() if value is not None}
    strategy = _STRATEGIES.get(str(given.get("strategy", "")).lower())
    if strategy is None:
        raise BadRetryPolicy(f"{where}: strategy is {_found(given, 'strategy')}; expected {FIXED} or {EXPONENTIAL}.")
    count = _count(given, "maxRetryCount", where)
    if strategy == FIXED:
        return RetrySettings(strategy=FIXED, max_retries=count, delay_s=_interval_s(given, "delayInterval", where))
    minimum, maximum = _interval_s(given, "minimumInterval", where), _interval_s(given, "maximumInterval", where)
    return _exponential(count, minimum, maximum, where)


def decorated_retry_policy(raw: Mapping[str, Any], where: str) -> RetrySettings:
    """A policy of `@app.retry`: snake_case names, every value a text, intervals as HH:MM:SS.

    The worker on Azure takes every strategy but `fixed_delay` for exponential, a missing minimum for 0 and a missing maximum for
    the largest; so do we.
    """
    count = _count(raw, "max_retry_count", where)
    if raw.get("strategy") == "fixed_delay":
        return RetrySettings(strategy=FIXED, max_retries=count, delay_s=_clock_s(raw, "delay_interval", 0.0, where))
    minimum, maximum = _clock_s(raw, "minimum_interval", 0.0, where), _clock_s(raw, "maximum_interval", float(_LONGEST_S), where)
    return _exponential(count, minimum, maximum, where)


def _exponential(count: int, minimum_s: float, maximum_s: float, where: str) -> RetrySettings:
    if minimum_s > maximum_s:
        raise BadRetryPolicy(f"{where}: the minimum interval ({minimum_s:g} s) is longer than the maximum interval ({maximum_s:g} s).")
    return RetrySettings(strategy=EXPONENTIAL, max_retries=count, minimum_s=minimum_s, maximum_s=maximum_s)


def _found(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, given.get(name.lower()))
    return "missing" if value is None else repr(str(value))


def _count(given: Mapping[str, Any], name: str, where: str) -> int:
    text = str(given.get(name, given.get(name.lower(), ""))).strip()
    if not re.fullmatch(r"-1|\d{1,9}", text, re.ASCII):
        raise BadRetryPolicy(f"{where}: {name} is {_found(given, name)}; expected a number of retries, or -1 for no limit.")
    return int(text)


def _interval_s(given: Mapping[str, Any], name: str, where: str) -> float:
    try:
        span = timespan(str(given.get(name.lower(), "")))
    except ValueError:
        span = timedelta(-1)
    if span < timedelta(0):
        raise BadRetryPolicy(f"{where}: {name} is {_found(given, name)}; expected a timespan such as 00:00:05.")
    return span.total_seconds()


def _clock_s(raw: Mapping[str, Any], name: str, default: float, where: str) -> float:
    if raw.get(name) is None:
        return default
    match = _CLOCK.fullmatch(str(raw[name]).strip())
    if match is None:
        raise BadRetryPolicy(f"{where}: {name} is {_found(raw, name)}; expected HH:MM:SS, less than a day, such as 00:00:05.")
    hours, minutes, seconds = map(int, match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)
