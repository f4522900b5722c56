"""The recorded queue and blob functions, run again: what Python saw, what was sent to the worker, what lies in storage afterwards."""

from __future__ import annotations

import asyncio
import base64
import collections
import fnmatch
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobClient, ContentSettings

from linarite.azurite import Azurite, Ports
from linarite.errors import UserCodeFailed
from tests.golden.host_trigger_differences import DIFFERENCES
from tests.golden.host_triggers import (
    HOST_ID,
    Facts,
    Run,
    answer_facts,
    blob_facts,
    invocation_facts,
    message_text,
    numbered,
    observed_facts,
    queue_facts,
    recorded,
    sent,
)

pytestmark = [pytest.mark.azurite, pytest.mark.slow]

LIMIT_S = 90
EQUAL = 328
"""How many recorded facts are ours too; the others are in the table."""


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Ports]:
    """An emulator with nothing in it: what lies there afterwards is all the run's."""
    started = Azurite(tmp_path / "azurite", Ports(0, 0, 0))
    await started.start()
    yield started.ports
    await started.stop()


@pytest.fixture
async def make_run(emulator: Ports, tmp_path: Path) -> AsyncIterator[Callable[[str], Run]]:
    """Sets up a run of a recorded app."""
    made: list[Run] = []

    def make(name: str) -> Run:
        made.append(Run(name, emulator.connection_string(), tmp_path))
        return made[-1]

    yield make
    for run in made:
        await run.connections.close()


async def upload(run: Run, connection: str, path: str, content: bytes, content_type: str) -> None:
    container, _, name = path.partition("/")
    await run.storage.blobs.create_container(container)
    settings = ContentSettings(content_type=content_type)
    with BlobClient.from_connection_string(connection, container, name) as client:
        await asyncio.to_thread(client.upload_blob, content, content_settings=settings)


async def put(run: Run, queue: str, *texts: str, raw: bool = False) -> None:
    await run.storage.queues.create(queue)
    for text in texts:
        await run.storage.queues.put(queue, text if raw else base64.b64encode(text.encode()).decode(), keep_s=7 * 86400)


def expected_facts(lines: list[dict[str, Any]]) -> Facts:
    by_kind: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for line in lines:
        by_kind[line["kind"]].append(line)
    facts = numbered(map(observed_facts, by_kind["observed"]))
    facts |= numbered(invocation_facts(line["function"], line["inputs"], line["metadata"]) for line in by_kind["invocation"])
    for line in by_kind["answer"]:
        facts[f"answer {line['target']}"] = (line["status"], line["body"])
    for line in by_kind["output"]:
        facts |= queue_facts(f"q-out after {line['case']}", [{"text": text} for text in line["messages"]])
    for line in by_kind["queue"]:
        facts |= queue_facts(line["queue"], line["messages"])
    for line in by_kind["blob"]:
        names = [name.removeprefix("x-ms-meta-") for name in line["metadata"]]
        facts |= blob_facts(line["container"], line["blob"], line["content"], names, line["lease"])
    return facts


async def answers(run: Run, *calls: tuple[str, str]) -> Facts:
    facts: Facts = {}
    for name, kind in calls:
        try:
            result = await run.call(name, kind=kind)
        except UserCodeFailed:
            result = None
        facts[f"answer /api/{name.removeprefix('q')}/{kind}"] = answer_facts(result)
    return facts


async def storage_facts(run: Run, queues: list[str]) -> Facts:
    facts: Facts = {}
    for queue in queues:
        facts |= queue_facts(queue, [message_text(text) for text in await run.messages(queue)])
    blobs = run.storage.blobs
    for container, prefix in (("azure-webjobs-hosts", f"blobreceipts/{HOST_ID}/"), ("bfail", ""), ("bin", ""), ("bout", "")):
        for name, properties in (await blobs.page(container, None, 100, prefix=prefix)).blobs.items():
            content = (await blobs.get(container, name)).decode()
            names = [key.lower() for key in properties.metadata or {}]
            facts |= blob_facts(container, name, content, names, properties.lease_state or "")
    return facts


def differing(ours: Facts, expected: Facts) -> dict[str, tuple[Any, Any]]:
    nothing = "(nothing)"
    pairs = {name: (ours.get(name, nothing), expected.get(name, nothing)) for name in ours.keys() | expected.keys()}
    return {name: pair for name, pair in sorted(pairs.items()) if pair[0] != pair[1]}


async def test_the_recorded_run(make_run: Callable[[str], Run], emulator: Ports) -> None:
    connection, run = emulator.connection_string(), make_run("trig")
    lines = recorded("trig")
    await put(run, "q-in", "before start")
    for queue in ("q-str", "q-fail", "q-chain"):
        await run.storage.queues.create(queue)
    await upload(run, connection, "bin/pre.txt", b"preexisting", "text/plain")
    await run.storage.blobs.create_container("bfail")
    await run.start()
    try:
        out = [("qout", kind) for kind in ("str", "json", "bytes", "list", "dictlist", "none", "empty")]
        ours = await answers(run, *out, *(("qoutmsg", kind) for kind in ("str", "bytes", "json")))
        await put(run, "q-chain", "x")
        await put(run, "q-in", "hello é", '{"a":1}', "")
        await put(run, "q-in", "plain not base64!", '{"raw":"json"}', "//4A", raw=True)
        await put(run, "q-str", "text", '{"a":1}', "[1,2]", "5")
        await put(run, "q-fail", "poison me")
        await upload(run, connection, "bin/new.bin", b"\x00\x01", "application/octet-stream")
        await upload(run, connection, "bfail/z", b"zz", "application/octet-stream")
        fired = [("qin", "manual text"), ("qin", '{"a":1}'), ("qin", "5"), ("qfail", "manual fail"), ("bin_", "bin/pre.txt")]
        assert all([await run.fire(name, given) for name, given in fired])
        refused = [("qin", None), ("bin_", "bin/nosuch.txt"), ("bin_", "nonsense"), ("ping", "x")]
        assert not any([await run.fire(name, given) for name, given in refused])
        await asyncio.wait_for(run.until_observed(collections.Counter(line["fn"] for line in lines if line["kind"] == "observed")), LIMIT_S)
        ours |= queue_facts("q-out", [message_text(text) for text in await run.messages("q-out")])
        for kind in ("jsonarr", "jsonnum", "badjson", "jsondate", "listmix"):
            ours |= await answers(run, ("qout", kind))
            ours |= queue_facts(f"q-out after {kind}", [message_text(text) for text in await run.messages("q-out")])
    finally:
        await run.stop()
    ours |= numbered(map(observed_facts, run.observed()))
    expected = expected_facts(lines)
    wanted = {name.rpartition(" #")[0] for name in expected if name.startswith("invocation ")}
    ours |= numbered(facts for facts in map(sent, first_of_each(run)) if facts[0] in wanted)
    ours |= await storage_facts(run, [line["queue"] for line in lines if line["kind"] == "queue" and line["queue"] != "q-out"])

    found = differing(ours, expected)
    unexplained = {name: pair for name, pair in found.items() if not any(difference.covers(name) for difference in DIFFERENCES)}
    assert unexplained == {}
    unused = [pattern for difference in DIFFERENCES for pattern in difference.facts if not fnmatch.filter(found, pattern)]
    assert unused == []
    assert len(expected.keys() - found.keys()) == EQUAL


def first_of_each(run: Run) -> list[Any]:
    """The recording keeps one invocation of each function and input; so do we."""
    kept: dict[str, Any] = {}
    for invocation in run.worker.asked:
        if invocation.function_name not in ("qout", "qoutmsg", "ping"):
            kept.setdefault(sent(invocation)[0], invocation)
    return list(kept.values())


async def test_the_defaults_of_host_json(make_run: Callable[[str], Run]) -> None:
    run = make_run("qdef")
    lines = recorded("qdef")
    await put(run, "qd-ok", *(str(number) for number in range(40)))
    await put(run, "qd-fail", "f")
    await run.start()
    try:
        await asyncio.wait_for(run.until_observed({"qdok-end": 40, "qdfail": 5}), LIMIT_S)
    finally:
        await run.stop()
    seen = run.observed()
    attempts = [line["dq"] for line in lines if line.get("fn") == "qdfail"]
    assert [line["dq"] for line in seen if line["fn"] == "qdfail"] == attempts
    recorded_bodies = sorted(line["body"] for line in lines if line.get("fn") == "qdok")
    assert sorted(line["body"] for line in seen if line["fn"] == "qdok") == recorded_bodies
    assert [message_text(text) for text in await run.messages("qd-fail-poison")] == [{"text": "f"}]
    # 16 and another 16 in the recording (4.0.2 on two cores); half a batch off Azure in 5.x
    assert most_at_once(seen) <= 24


def most_at_once(seen: list[dict[str, Any]]) -> int:
    running = most = 0
    for line in seen:
        running += {"qdok": 1, "qdok-end": -1}.get(line["fn"], 0)
        most = max(most, running)
    return most
