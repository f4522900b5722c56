"""Random orchestrations end as their author meant, on either hub, whatever fails and however often the host dies on the way.

As many as are asked for: `RANDOM_ORCHESTRATIONS=1000`, with `RANDOM_SEED` other ones. What fails names the seed that repeats it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from linarite.azurite import Ports
from linarite.durable.events import (
    HistoryEvent,
    Status,
    SubOrchestrationInstanceCompleted,
    SubOrchestrationInstanceFailed,
    TaskCompleted,
    TaskFailed,
)
from tests.conformance.grounds import AzureGround, FileGround
from tests.conformance.random_hosts import Ended, Hosts
from tests.conformance.random_programs import some_programs
from tests.conformance.shaky_hub import Fate
from tests.durable.programs import Failed, Program, hurried, meant
from tests.durable.test_random_orchestrations import check_history
from tests.storage_proxy import StorageProxy

_log = logging.getLogger(__name__)

HOW_MANY = int(os.environ.get("RANDOM_ORCHESTRATIONS", "0"))
SEED = int(os.environ.get("RANDOM_SEED", "0"))


def batches(how_many: int, size: int) -> Iterator[tuple[int, dict[str, Program]]]:
    """Programs that run side by side, by instance id, each batch with its seed."""
    for seed in range(SEED, SEED + (how_many + size - 1) // size):
        yield seed, {f"p{number}": program for number, program in enumerate(some_programs(seed, size))}


async def run(hosts: Hosts, programs: dict[str, Program], seed: int) -> None:
    try:
        ended = await hosts.run(programs)
        assert programs.keys() <= {instance.instance_id for instance in ended}
        assert not hosts.begun_twice()
        for instance in ended:
            check(instance)
        _log.info("%d instances, %d dead hosts", len(ended), hosts.deaths)
    except AssertionError as error:
        raise AssertionError(f"RANDOM_SEED={seed} repeats it. {error}\n{json.dumps(programs)}") from error


def check(ended: Ended) -> None:
    """It ended as meant, once, and its history is whole."""
    check_history(list(ended.history))
    assert not [task for task, answers in Counter(answered(ended.history)).items() if answers > 1], str(ended)
    try:
        expected = meant(ended.program)
    except Failed:
        assert ended.status is Status.FAILED, str(ended)
        assert str(ended.output).startswith("Orchestrator function 'program' failed: "), str(ended)
    else:
        assert (ended.status, json.loads(ended.output or "null")) == (Status.COMPLETED, expected), str(ended)


def answered(history: Sequence[HistoryEvent]) -> Iterator[int]:
    """The ids of tasks, once for each answer to them."""
    for event in history:
        match event:
            case TaskCompleted() | TaskFailed() | SubOrchestrationInstanceCompleted() | SubOrchestrationInstanceFailed():
                yield event.task_scheduled_id


def test_on_the_embedded_hub(tmp_path: Path) -> None:
    for seed, programs in batches(HOW_MANY or 40, 5):
        hosts = Hosts(FileGround(tmp_path / f"{seed}.db"), Fate(seed, mishaps=30))
        asyncio.run(run(hosts, programs, seed))


@pytest.mark.slow
@pytest.mark.azurite
def test_on_azurite(azurite: Ports) -> None:
    """Side by side, since they run in real time."""
    for seed, programs in batches(HOW_MANY or 25, 25):
        asyncio.run(run_on_azurite(azurite, {name: hurried(program) for name, program in programs.items()}, seed))


async def run_on_azurite(azurite: Ports, programs: dict[str, Program], seed: int) -> None:
    proxy = StorageProxy(azurite)
    await proxy.start()
    try:
        hosts = Hosts(AzureGround(proxy, "R" + uuid.uuid4().hex[:20]), Fate(seed, mishaps=12, chance=0.02))
        await run(hosts, programs, seed)
    finally:
        await proxy.stop()
