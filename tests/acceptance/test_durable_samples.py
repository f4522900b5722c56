"""Apps of our own that show what the SDK's sample apps show, asked for it as those apps' pages say.

What has to do with time, or with services that are not here, runs in this process, on a clock that is moved and with stand-ins.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from linarite import EmbeddedHost
from linarite.azurite import Ports
from linarite.clock import ManualClock
from tests.host_process import HostProcess, client, finished

SAMPLES = Path(__file__).parent / "samples"
URLS = {
    "id",
    "statusQueryGetUri",
    "sendEventPostUri",
    "terminatePostUri",
    "rewindPostUri",
    "purgeHistoryDeleteUri",
    "restartPostUri",
    "suspendPostUri",
    "resumePostUri",
}

Served = aiohttp.ClientSession


@pytest.fixture(params=["embedded", pytest.param("azurite", marks=pytest.mark.azurite)])
def storage(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """Where the hub is, and the environment that goes with it."""
    if request.param == "embedded":
        return "embedded", {}
    ports: Ports = request.getfixturevalue("azurite")
    hub = "".join(letter for letter in request.node.name if letter.isalpha())[:40]
    return "azurite", {
        "AzureWebJobsStorage": ports.connection_string(),
        "AzureFunctionsJobHost__extensions__durableTask__hubName": hub,
    }


@pytest.fixture
async def declared(storage: tuple[str, dict[str, str]], tmp_path: Path) -> AsyncIterator[Served]:
    """The app of function.json files."""
    async for session in served("declared", storage, tmp_path):
        yield session


@pytest.fixture
async def decorated(storage: tuple[str, dict[str, str]], tmp_path: Path) -> AsyncIterator[Served]:
    """The decorated app."""
    async for session in served("decorated", storage, tmp_path):
        yield session


async def served(sample: str, storage: tuple[str, dict[str, str]], tmp_path: Path) -> AsyncIterator[Served]:
    folder = Path(shutil.copytree(SAMPLES / sample, tmp_path / "app"))
    (tmp_path / "backups").mkdir()
    mode, environment = storage
    flags = ("--storage", mode, "--no-reload")
    async with (
        HostProcess(folder, *flags, environment={**environment, "BACKUPS": str(tmp_path / "backups")}) as host,
        client(host) as session,
    ):
        yield session


@pytest.fixture
def app(tmp_path: Path) -> Iterator[EmbeddedHost]:
    """The decorated app, in this process."""
    with EmbeddedHost(Path(shutil.copytree(SAMPLES / "decorated", tmp_path / "app")), clock=ManualClock()) as host:
        yield host


async def outcome(session: Served, orchestrator: str, given: object = None) -> tuple[object, object]:
    """Runtime status and output of an orchestration, started and followed over the URLs that its start answers with."""
    async with session.post(f"/api/orchestrators/{orchestrator}", json=given) as answer:
        assert answer.status == 202
        urls = await answer.json()
    assert set(urls) == URLS
    status = await finished(session, urls["statusQueryGetUri"])
    return status["runtimeStatus"], status["output"]


def ended(host: EmbeddedHost, instance_id: str) -> tuple[object, object]:
    status = host.durable.get_status(instance_id)
    assert status is not None
    return status.runtime_status, status.output


async def test_a_chain_gives_its_results_in_order(decorated: Served) -> None:
    assert await outcome(decorated, "greet_cities") == ("Completed", ["Hello Lisbon!", "Hello Oslo!", "Hello Lima!"])


async def test_a_folder_is_backed_up_file_by_file(decorated: Served, tmp_path: Path) -> None:
    (tmp_path / "source" / "deeper").mkdir(parents=True)
    for name, size in (("a", 10), ("b", 200), ("deeper/c", 3000)):
        (tmp_path / "source" / name).write_bytes(b"x" * size)
    assert await outcome(decorated, "back_up", str(tmp_path / "source")) == ("Completed", 3210)
    assert sorted(path.name for path in (tmp_path / "backups").iterdir()) == ["a", "b", "c"]
    assert await outcome(decorated, "back_up") == ("Failed", "Orchestrator function 'back_up' failed: name a folder to back up")


async def test_a_counter_keeps_what_orchestrations_add(decorated: Served) -> None:
    async with decorated.get("/api/entity/Counter/visits") as answer:
        assert answer.status == 404
    assert await outcome(decorated, "add_and_ask") == ("Completed", 3)
    assert await outcome(decorated, "add_and_ask") == ("Completed", 6)
    async with decorated.get("/api/entity/Counter/visits") as answer:
        assert await answer.json(content_type=None) == {"name": "Counter", "key": "visits", "state": 6}
    assert await outcome(decorated, "reset") == ("Completed", 0)


async def test_objects_of_a_class_are_inputs_and_results(declared: Served) -> None:
    async with declared.get("/api/orchestrators/Quote", params={"grams": "1000"}) as answer:
        assert answer.status == 202
        urls = await answer.json()
    status = await finished(declared, urls["statusQueryGetUri"])
    assert (status["runtimeStatus"], status["output"]) == ("Completed", "1250 g to Lima")


async def test_an_orchestration_has_another_one_do_its_work(declared: Served) -> None:
    assert await outcome(declared, "Invite") == ("Completed", "Hello Ada!")


def test_a_custom_status_is_seen_while_the_work_goes_on(app: EmbeddedHost) -> None:
    seen = []

    def add_one(number: int) -> int:
        status = app.durable.get_status("counting")
        assert status is not None
        seen.append(status.custom_status)
        return number + 1

    app.replace("add_one", add_one)
    app.durable.start_new("count_aloud", instance_id="counting")
    app.run_until_idle()
    assert seen == [None, "1,", "1, 2,"]
    assert ended(app, "counting") == ("Completed", 3)
    status = app.durable.get_status("counting")
    assert status is not None
    assert status.custom_status == "1, 2, 3"


@pytest.mark.parametrize(
    ("entered", "is_right"),
    [(["7788"], True), (["1", "2", "7788"], True), (["1", "2", "3"], False)],
    ids=["at once", "the third time", "never"],
)
def test_a_code_may_be_entered_three_times(app: EmbeddedHost, entered: list[str], is_right: bool) -> None:
    app.replace("send_code", lambda number: "7788")
    instance_id = app.durable.start_new("verify_phone", client_input="+3215550123")
    app.run_until_idle()
    for code in entered:
        assert ended(app, instance_id) == ("Running", None)
        app.durable.raise_event(instance_id, "CodeEntered", code)
        app.run_until_idle()
    assert ended(app, instance_id) == ("Completed", is_right)


def test_a_code_that_is_not_entered_in_time_is_not_right(app: EmbeddedHost) -> None:
    app.replace("send_code", lambda number: "7788")
    instance_id = app.durable.start_new("verify_phone", client_input="+3215550123")
    app.run_until_idle()
    app.time.advance(timedelta(seconds=179))
    assert ended(app, instance_id) == ("Running", None)
    app.time.advance(timedelta(seconds=2))
    assert ended(app, instance_id) == ("Completed", False)


def test_what_is_no_phone_number_fails_with_the_app_s_words(app: EmbeddedHost) -> None:
    instance_id = app.durable.start_new("verify_phone", client_input="0155-12")
    app.run_until_idle()
    text = "'0155-12' is no phone number with a country code, such as +3215550123"
    assert ended(app, instance_id) == ("Failed", f"Orchestrator function 'verify_phone' failed: {text}")


@pytest.mark.parametrize(
    ("counts", "looks", "alerts"),
    [([False, False, True], 3, ["+3215550123"]), ([False] * 6, 5, [])],
    ids=["too many", "few for five minutes"],
)
def test_a_repository_is_looked_at_every_minute(app: EmbeddedHost, counts: list[bool], looks: int, alerts: list[str]) -> None:
    asked: list[tuple[str, datetime]] = []
    sent: list[str] = []

    def has_many_issues(repository: str) -> bool:
        asked.append((repository, app.time.now()))
        return counts[len(asked) - 1]

    app.replace("has_many_issues", has_many_issues)
    app.replace("alert", sent.append)
    instance_id = app.durable.start_new("watch_repository", client_input={"repository": "us/app", "phone": "+3215550123"})
    app.run_until_idle(within=timedelta(minutes=10))
    assert ended(app, instance_id) == ("Completed", "watched")
    assert ([repository for repository, _ in asked], sent) == (["us/app"] * looks, alerts)
    gaps = {after - before for (_, before), (_, after) in itertools.pairwise(asked)}
    assert gaps == {timedelta(minutes=1)}
    status = app.durable.get_status(instance_id)
    assert status is not None
    assert status.custom_status == "us/app is fine so far"


def test_an_activity_with_an_output_that_nothing_here_writes_fails_and_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EmbeddedHost(Path(shutil.copytree(SAMPLES / "decorated", tmp_path / "app"))) as app:
        said = "Nothing here implements the twilioSms output message of text"
        assert any(f"Calls of function 'text' will fail. {said}" in line for line in caplog.messages)
        instance_id = app.durable.start_new("text_somebody")
        app.run_until_idle()
        status, output = ended(app, instance_id)
        assert status == "Failed"
        assert str(output).startswith(f"Orchestrator function 'text_somebody' failed: Activity function 'text' failed: {said}")
