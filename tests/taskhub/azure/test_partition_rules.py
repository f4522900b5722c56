from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from linarite.taskhub.azure.partition_rules import (
    Drain,
    Partition,
    after_pass,
    is_changing_hands,
    partition_of,
    released,
    row_of,
    to_steal,
)

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
LEASE = timedelta(seconds=30)


def passed(partition: Partition, drain: Drain = Drain.NOT_BEGUN) -> Partition:
    return after_pass(partition, "me", NOW, LEASE, drain)


def owned(by: str, **more: object) -> Partition:
    return replace(Partition("q", owner=by, expires_at=NOW + timedelta(seconds=10)), **more)  # type: ignore[arg-type]


def test_a_free_partition_is_claimed() -> None:
    claimed = passed(Partition("q"))
    assert (claimed.owner, claimed.owned_since, claimed.expires_at) == ("me", NOW, NOW + LEASE)


def test_a_lease_that_ran_out_is_claimed_whoever_wanted_it() -> None:
    claimed = passed(owned("other", next_owner="third", expires_at=NOW, is_draining=True))
    assert (claimed.owner, claimed.next_owner, claimed.is_draining) == ("me", None, False)


def test_a_stolen_partition_is_claimed_once_it_was_let_go() -> None:
    assert passed(owned("other", next_owner="me")).owner == "other"
    claimed = passed(replace(owned("other", next_owner="me"), owner=None))
    assert (claimed.owner, claimed.next_owner) == ("me", None)
    assert passed(replace(owned("other", next_owner="third"), owner=None)).owner is None


def test_what_is_mine_is_renewed() -> None:
    renewed = passed(owned("me"))
    assert (renewed.last_renewal, renewed.expires_at, renewed.is_ours("me")) == (NOW, NOW + LEASE, True)


def test_what_another_wants_is_drained_and_then_let_go() -> None:
    draining = passed(owned("me", next_owner="other"))
    assert (draining.owner, draining.is_draining, draining.expires_at) == ("me", True, NOW + LEASE)
    assert passed(draining, Drain.RUNNING).owner == "me"
    gone = passed(draining, Drain.DONE)
    assert (gone.owner, gone.next_owner, gone.is_draining) == (None, "other", False)


def test_a_host_that_shuts_down_is_succeeded() -> None:
    assert passed(owned("other", is_draining=True)).next_owner == "me"
    assert passed(owned("other")) == owned("other")


def test_a_restarted_host_finds_its_own_again() -> None:
    assert passed(released(owned("me"))).is_ours("me")
    assert passed(owned("me", is_draining=True)).is_ours("me")


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        (["other"] * 4, 2),
        (["other", "other", "other", "me"], 1),
        (["other", "other", "me", "me"], 0),
        (["a", "a", "b", "b"], 1),
        (["a", "b", "c", "d"], 0),
        (["a", "a", "a", "me", "me"], 0),
        (["a", "a", "a", "a", "a", "b", "b", "me", "me"], 1),
        (["me"] * 4, 0),
        ([], 0),
    ],
)
def test_no_more_is_stolen_than_evens_it_out(owners: list[str], expected: int) -> None:
    partitions = [Partition(f"q{number}", owner=owner) for number, owner in enumerate(owners)]
    stolen = to_steal(partitions, "me")
    assert len(stolen) == expected
    assert all(partition.owner != "me" for partition in partitions if partition.queue in stolen)


def test_a_partition_counts_for_who_is_to_have_it() -> None:
    partitions = [Partition(f"q{number}", owner="other", next_owner="me" if number < 2 else None) for number in range(4)]
    assert to_steal(partitions, "me") == []
    assert is_changing_hands(partitions, "me")
    assert is_changing_hands(partitions, "other")
    assert not is_changing_hands(partitions[2:], "me")


def test_a_partition_survives_its_row() -> None:
    full = Partition("q", "me", "other", NOW, NOW, NOW + LEASE, True, "etag")
    assert partition_of(row_of(full)) == full
    assert partition_of(row_of(Partition("q"))) == Partition("q")
    assert dict(row_of(Partition("q")).columns) == {"IsDraining": False}
