from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from linarite.reload import Change, Reloader, Scope, scope_of


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("function_app.py", Scope.CODE),
        ("shared/deep/helper.py", Scope.CODE),
        ("Http/function.json", Scope.CODE),
        ("host.json", Scope.SETTINGS),
        ("local.settings.json", Scope.SETTINGS),
        (".env", Scope.SETTINGS),
        ("sub/host.json", Scope.NOTHING),
        ("data.txt", Scope.NOTHING),
        (".venv/lib/x.py", Scope.NOTHING),
        ("pkg/__pycache__/x.py", Scope.NOTHING),
        (".linarite/hub.db", Scope.NOTHING),
        ("templates/page.html", Scope.CODE),
        ("a/rules.yaml", Scope.CODE),
    ],
)
def test_what_a_changed_file_asks_for(name: str, scope: Scope) -> None:
    assert scope_of(Path("/app") / name, Path("/app"), ["templates"], ["rules.yaml"]) is scope


async def test_a_burst_of_saves_is_one_load_and_says_the_largest_change(app_folder: Path) -> None:
    loads: asyncio.Queue[Change] = asyncio.Queue()
    reloader = Reloader(app_folder, loads.put)
    reloader.start()
    try:
        first = await _save_until_noticed(app_folder / "warm_up.py", loads)
        assert first.scope is Scope.CODE
        for name in ("a.py", "b.py", "host.json"):
            (app_folder / name).write_text("{}", "utf-8")
        burst = await asyncio.wait_for(loads.get(), 20)
        while burst.scope is not Scope.SETTINGS:  # the file system may report the warm-up once more
            burst = await asyncio.wait_for(loads.get(), 20)
        assert burst.path.name == "host.json"
    finally:
        await reloader.stop()


async def test_a_load_that_raises_does_not_end_the_watching(app_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    loads: asyncio.Queue[Change] = asyncio.Queue()

    async def load(change: Change) -> None:
        await loads.put(change)
        raise ValueError("no")

    reloader = Reloader(app_folder, load)
    reloader.start()
    try:
        await _save_until_noticed(app_folder / "a.py", loads)
        await _save_until_noticed(app_folder / "b.py", loads)
    finally:
        await reloader.stop()
    assert "failed" in caplog.text


async def _save_until_noticed(path: Path, loads: asyncio.Queue[Change]) -> Change:
    """The watcher gives no sign that it has begun, so save again until it says so."""
    for attempt in range(40):
        path.write_text(f"# {attempt} {os.urandom(4).hex()}", "utf-8")
        try:
            return await asyncio.wait_for(loads.get(), 0.5)
        except asyncio.TimeoutError:
            continue
    raise AssertionError(f"{path} was saved 40 times and nobody noticed")
