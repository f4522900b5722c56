"""Every pattern of docs/durable.md, run as it stands."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from linarite import EmbeddedHost
from linarite.clock import ManualClock

DOCS = Path(__file__).parent.parent / "docs" / "durable.md"
PATTERNS = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL))


def running(name: str, folder: Path, host_json: str = '{"version": "2.0"}') -> EmbeddedHost:
    (folder / "host.json").write_text(host_json, "utf-8")
    (folder / "function_app.py").write_text(PATTERNS[name], "utf-8")
    return EmbeddedHost(folder, clock=ManualClock())


def ended(host: EmbeddedHost, instance_id: str) -> tuple[object, object]:
    status = host.durable.get_status(instance_id)
    assert status is not None
    return status.runtime_status, status.output


@pytest.mark.parametrize(
    ("name", "orchestrator", "given", "output"),
    [
        ("chaining", "publish", "News", "NEWS: THE TEXT"),
        ("fan-out", "count_words", ["one two", "three"], 3),
        ("monitor", "watch", 5, "ready after 3 looks"),
        ("monitor", "watch", 2, "gave up"),
        ("human", "ask", None, "nobody answered"),
        ("aggregator", "count", [2, 3], 5),
        ("eternal", "tidy", 1, "swept 3 times"),
        ("sub", "provision", ["lamp", "lock"], "lamp is up, lock is up"),
        ("saga", "book_trip", None, "cancelled hotel, flight"),
    ],
)
def test_a_pattern_ends_as_its_text_says(tmp_path: Path, name: str, orchestrator: str, given: object, output: object) -> None:
    with running(name, tmp_path) as host:
        instance_id = host.durable.start_new(orchestrator, client_input=given)
        host.run_until_idle(within=timedelta(days=10))
        assert ended(host, instance_id) == ("Completed", output)


def test_a_person_who_answers_in_time_is_heard(tmp_path: Path) -> None:
    with running("human", tmp_path) as host:
        instance_id = host.durable.start_new("ask")
        host.run_until_idle()
        host.durable.raise_event(instance_id, "Answer", 42)
        host.run_until_idle()
        assert ended(host, instance_id) == ("Completed", "the answer is 42")


def test_a_report_is_accepted_at_once_and_asked_for_later(tmp_path: Path) -> None:
    with running("async-http", tmp_path) as host:
        answer = host.http.post("/api/reports", json=2026)
        assert answer.status_code == 202
        host.run_until_idle()
        assert host.http.get(answer.json()["statusQueryGetUri"]).json()["output"] == "report of 2026"


def test_a_singleton_runs_once_at_a_time(tmp_path: Path) -> None:
    with running("singleton", tmp_path) as host:
        assert host.http.post("/api/import").status_code == 202
        assert host.http.post("/api/import").status_code == 409
        host.run_until_idle()
        host.durable.raise_event("the-import", "Done")
        host.run_until_idle()
        assert ended(host, "the-import") == ("Completed", "imported")
        assert host.http.post("/api/import").status_code == 202


def test_an_instance_keeps_its_version(tmp_path: Path) -> None:
    host_json = '{"version": "2.0", "extensions": {"durableTask": {"defaultVersion": "2.0"}}}'
    with running("versioning", tmp_path, host_json) as host:
        ids = [host.http.post(f"/api/greet/{version}").json()["id"] for version in ("1.0", "2.0")]
        host.run_until_idle()
        assert [ended(host, instance_id) for instance_id in ids] == [("Completed", "Hello"), ("Completed", "Good day")]


def test_every_pattern_of_the_page_is_tried() -> None:
    source = Path(__file__).read_text("utf-8")
    assert {name for name in PATTERNS if f'"{name}"' not in source} == set()
