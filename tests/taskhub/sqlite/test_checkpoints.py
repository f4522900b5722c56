from __future__ import annotations

from linarite.taskhub.sqlite.checkpoints import Checkpoint, Remembered


def checkpoint(size: int) -> Checkpoint:
    return Checkpoint(key=1, revision=1, execution_id="e", chunks=1, events=(), size=size)


def test_the_least_recently_used_is_forgotten_first() -> None:
    remembered = Remembered(limit=100)
    for name in ("a", "b", "c"):
        remembered.put(name, checkpoint(30))
    assert remembered.get("a") is not None
    remembered.put("d", checkpoint(30))
    assert [name for name in "abcd" if remembered.get(name)] == ["a", "c", "d"]


def test_a_newer_checkpoint_takes_the_place_of_the_older_one() -> None:
    remembered = Remembered(limit=100)
    for size in (60, 70, 80):
        remembered.put("a", checkpoint(size))
    newest = remembered.get("a")
    assert newest is not None
    assert newest.size == 80
    remembered.put("b", checkpoint(20))
    assert remembered.get("a") is newest


def test_one_that_is_too_large_is_not_kept_and_still_given_back() -> None:
    remembered = Remembered(limit=100)
    huge = checkpoint(101)
    assert remembered.put("a", huge) is huge
    assert remembered.get("a") is None


def test_nothing_is_remembered_of_nobody() -> None:
    remembered = Remembered(limit=100)
    remembered.put("a", checkpoint(1))
    assert remembered.put("a", None) is None
    assert remembered.get("a") is None
    remembered.forget("a")
