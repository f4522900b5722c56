"""What the kernel tells of saved files."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from linarite.inotify import Inotify

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")

Bursts = AsyncGenerator[set[Path], None]


@pytest.fixture
async def bursts(tmp_path: Path) -> AsyncIterator[Bursts]:
    """Bursts below `tmp_path`, which has the folders `here` and `ignored` from the start."""
    for name in ("here", "ignored"):
        (tmp_path / name).mkdir()
    with closing(Inotify(tmp_path, lambda path: path.name == "ignored")) as watched:
        async with aclosing(watched.bursts(0.05, 0.4)) as found:
            yield found


async def burst(bursts: Bursts, folder: Path) -> set[str]:
    """The next burst, as paths below `folder`."""
    found = await asyncio.wait_for(bursts.__anext__(), 20)
    return {path.relative_to(folder).as_posix() for path in found}


async def test_saves_that_follow_each_other_are_one_burst(bursts: Bursts, tmp_path: Path) -> None:
    for name in ("a.py", "here/b.py"):
        (tmp_path / name).write_text("1", "utf-8")
    assert await burst(bursts, tmp_path) == {"a.py", "here/b.py"}


async def test_files_that_go_or_change_their_name_have_changed(bursts: Bursts, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1", "utf-8")
    (tmp_path / "b.py").write_text("1", "utf-8")
    await burst(bursts, tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "here" / "c.py")
    (tmp_path / "b.py").unlink()
    assert await burst(bursts, tmp_path) == {"a.py", "b.py", "here/c.py"}


async def test_folders_that_come_are_watched_with_what_they_have(bursts: Bursts, tmp_path: Path) -> None:
    (tmp_path / "new" / "deep").mkdir(parents=True)
    (tmp_path / "new" / "deep" / "a.py").write_text("1", "utf-8")
    assert await burst(bursts, tmp_path) == {"new/deep/a.py"}
    (tmp_path / "new" / "deep" / "b.py").write_text("1", "utf-8")
    assert await burst(bursts, tmp_path) == {"new/deep/b.py"}


async def test_a_folder_that_was_moved_is_known_by_its_new_name(bursts: Bursts, tmp_path: Path) -> None:
    (tmp_path / "here").rename(tmp_path / "there")
    (tmp_path / "there" / "a.py").write_text("1", "utf-8")
    assert await burst(bursts, tmp_path) == {"there/a.py"}
    (tmp_path / "there" / "a.py").write_text("2", "utf-8")
    assert await burst(bursts, tmp_path) == {"there/a.py"}


async def test_a_folder_that_was_moved_away_and_one_that_is_ignored_are_not_watched(bursts: Bursts, tmp_path: Path) -> None:
    away = tmp_path.parent / f"{tmp_path.name}-away"
    (tmp_path / "here").rename(away)
    (away / "a.py").write_text("1", "utf-8")
    (tmp_path / "ignored" / "a.py").write_text("1", "utf-8")
    (tmp_path / "last.py").write_text("1", "utf-8")
    assert await burst(bursts, tmp_path) == {"last.py"}


async def test_folders_that_go_are_forgotten_and_may_come_again(bursts: Bursts, tmp_path: Path) -> None:
    for content in ("1", "2"):
        (tmp_path / "here").rmdir() if content == "1" else None
        (tmp_path / "here").mkdir(exist_ok=True)
        (tmp_path / "here" / "a.py").write_text(content, "utf-8")
        assert await burst(bursts, tmp_path) == {"here/a.py"}


async def test_a_link_that_leads_back_is_followed_no_further(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "app" / "back").symlink_to(tmp_path / "app")
    (tmp_path / "app" / "shared").symlink_to(tmp_path / "shared")
    with closing(Inotify(tmp_path / "app", lambda _: False)) as watched:
        async with aclosing(watched.bursts(0.05, 0.4)) as found:
            (tmp_path / "shared" / "a.py").write_text("1", "utf-8")
            assert await burst(found, tmp_path / "app") == {"shared/a.py"}


async def test_after_more_than_the_kernel_keeps_everything_has_changed(bursts: Bursts, tmp_path: Path) -> None:
    (tmp_path / "untouched.py").write_text("1", "utf-8")
    await burst(bursts, tmp_path)
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text("ascii"))
    files = [tmp_path / "here" / name for name in ("a", "b")]
    for count in range(most // 2 + 1):  # each differs from the one before, or they would count as one
        files[count % 2].touch()
        files[count % 2].unlink()
    assert "untouched.py" in await burst(bursts, tmp_path)


async def test_a_process_without_watches_left_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    class Exhausted:
        def inotify_init1(self, _: int) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Exhausted())
    monkeypatch.setattr(ctypes, "get_errno", lambda: 24)
    with pytest.raises(OSError, match="Too many open files"):
        Inotify(tmp_path, lambda _: False)
