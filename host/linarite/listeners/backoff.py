"""How long to wait before looking again where nothing was found. Pure.

Source: Storage extensions, RandomizedExponentialBackoffStrategy.
"""

from __future__ import annotations

SHORTEST_S = 0.1
_SPREAD = 0.2


def wait_s(times_empty: int, longest_s: float, chance: float) -> float:
    """The wait after that many looks in a row that found nothing; `chance`, from 0 to 1, spreads it by a fifth both ways."""
    if times_empty <= 0:
        return min(SHORTEST_S, longest_s)
    spread = 1 - _SPREAD + 2 * _SPREAD * chance
    doubled = 2.0 ** min(times_empty - 1, 32)
    return min(SHORTEST_S + spread * doubled * SHORTEST_S, longest_s)
