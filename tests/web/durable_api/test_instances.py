from __future__ import annotations

import json

import pytest

from linarite.durable.events import Status
from tests.web.durable_api.asgi import Answer, ask
from tests.web.durable_api.conftest import Doors

BASE = "/runtime/webhooks/durabletask"
TOKEN = "x-ms-continuation-token"


async def listed(doors: Doors, query: str = "", token: str = "") -> Answer:
    return await ask(doors.public, "GET", f"{BASE}/instances/?{query}", headers={TOKEN: token} if token else None)


async def delete(doors: Doors, path: str) -> Answer:
    return await ask(doors.public, "DELETE", f"{BASE}/{path}")


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [instance["instanceId"] for instance in answer.json]


async def test_pages_follow_their_tokens(doors: Doors) -> None:
    for number in range(7):
        doors.hub.keep(f"lst-{number}")
    doors.hub.keep("other")
    first = await listed(doors, "top=3&instanceIdPrefix=lst-")
    second = await listed(doors, "top=3&instanceIdPrefix=lst-", first.headers[TOKEN])
    third = await listed(doors, "top=3&instanceIdPrefix=lst-", second.headers[TOKEN])
    assert [ids(page) for page in (first, second, third)] == [["lst-0", "lst-1", "lst-2"], ["lst-3", "lst-4", "lst-5"], ["lst-6"]]
    assert third.headers[TOKEN] == ""


async def test_a_page_has_a_hundred_instances_unless_it_says_otherwise(doors: Doors) -> None:
    for number in range(101):
        doors.hub.keep(f"{number:03}")
    assert len(ids(await listed(doors))) == 100
    assert len(ids(await listed(doors, "top=abc"))) == 100


async def test_an_empty_page_keeps_its_place(doors: Doors) -> None:
    doors.hub.keep("a")
    doors.hub.keep("b")
    nothing = await listed(doors, "top=0")
    assert ids(nothing) == []
    assert ids(await listed(doors, "top=1", nothing.headers[TOKEN])) == ["a"]
    assert (await listed(Doors(), "top=0")).headers[TOKEN] == ""


async def test_a_negative_page_size_is_refused(doors: Doors) -> None:
    answer = await listed(doors, "top=-1")
    assert answer.status == 400
    assert "top=-1" in answer.json["Message"]


@pytest.mark.parametrize("token", ["garbage", "bHN0LTM= ", "####"])
async def test_a_token_that_is_none_of_ours_gives_an_empty_page(doors: Doors, token: str) -> None:
    doors.hub.keep("a")
    answer = await listed(doors, "", token)
    assert (ids(answer), answer.headers[TOKEN]) == ([], "")


async def test_a_token_survives_ids_that_a_header_could_not_carry(doors: Doors) -> None:
    doors.hub.keep("ü東 1")
    doors.hub.keep("ü東 2")
    first = await listed(doors, "top=1")
    assert ids(await listed(doors, "top=1", first.headers[TOKEN])) == ["ü東 2"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("runtimeStatus=Completed", ["c"]),
        ("runtimeStatus=completed,FAILED", ["c", "f"]),
        ("runtimeStatus=Completed&runtimeStatus=Failed", ["c", "f"]),
        ("runtimeStatus=1", ["c"]),
        ("runtimeStatus=", ["c", "f", "r"]),
        ("createdTimeFrom=2030-01-01T00:00:00Z", []),
        ("createdTimeTo=2020-02-01", []),
        ("createdTimeFrom=notadate", ["c", "f", "r"]),
        ("createdTimeFrom=2020-01-01&createdTimeTo=2027-01-01&runtimeStatus=Running", ["r"]),
        ("instanceIdPrefix=", ["c", "f", "r"]),
        ("instanceIdPrefix=f", ["f"]),
        ("nosuch=1", ["c", "f", "r"]),
    ],
)
async def test_filters(doors: Doors, query: str, expected: list[str]) -> None:
    doors.hub.keep("c", Status.COMPLETED)
    doors.hub.keep("f", Status.FAILED)
    doors.hub.keep("r", Status.RUNNING)
    assert ids(await listed(doors, query)) == expected


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["bogus", "Running,bogus", "99"])
async def test_a_status_that_does_not_exist_is_refused_where_it_would_filter_nothing(doors: Doors, method: str, name: str) -> None:
    doors.hub.keep("c", Status.COMPLETED)
    answer = await ask(doors.public, method, f"{BASE}/instances/?createdTimeFrom=2020-01-01&runtimeStatus={name}")
    assert answer.status == 400
    assert "runtimeStatus" in answer.json["Message"]
    assert "c" in doors.hub.kept


async def test_inputs_are_left_out_if_asked(doors: Doors) -> None:
    doors.hub.keep("a", input="5")
    assert (await listed(doors)).json[0]["input"] == 5
    assert (await listed(doors, "showInput=False")).json[0]["input"] is None


async def test_one_poisonous_input_breaks_no_list(doors: Doors) -> None:
    doors.hub.keep("a", input="// comment\n1")
    doors.hub.keep("b", input="1")
    assert ids(await listed(doors)) == ["a", "b"]


@pytest.mark.parametrize("status", [status for status in Status if status.is_terminal])
async def test_the_finished_are_purged_by_id(doors: Doors, status: Status) -> None:
    doors.hub.keep("a", status)
    answer = await delete(doors, "instances/a")
    assert (answer.status, answer.json) == (200, {"instancesDeleted": 1})
    assert (await delete(doors, "instances/a")).status == 404


@pytest.mark.parametrize("status", [status for status in Status if not status.is_terminal])
async def test_the_unfinished_are_not(doors: Doors, status: Status) -> None:
    doors.hub.keep("a", status)
    answer = await delete(doors, "instances/a")
    assert answer.status == 412
    assert json.loads(answer.body) == (
        f"Only orchestrations in a terminal state can be purged, but the orchestration with instance ID a has status {status.label}"
    )
    assert "a" in doors.hub.kept


async def test_entities_are_purged_though_they_always_run(doors: Doors) -> None:
    doors.hub.keep("@counter@a")
    assert (await delete(doors, "instances/@counter@a")).json == {"instancesDeleted": 1}
    assert (await delete(doors, "instances/@counter@a")).status == 404


async def test_a_purge_by_filter_takes_every_page_and_only_what_is_finished(doors: Doors) -> None:
    for number in range(250):
        doors.hub.keep(f"done-{number:03}", Status.COMPLETED)
    doors.hub.keep("done-running", Status.RUNNING)
    doors.hub.keep("@counter@a")
    answer = await delete(doors, "instances/?createdTimeFrom=2020-01-01T00:00:00Z&createdTimeTo=2027-01-01")
    assert answer.json == {"instancesDeleted": 250}
    assert sorted(doors.hub.kept) == ["@counter@a", "done-running"]


async def test_a_purge_reaches_up_to_now_by_default(doors: Doors) -> None:
    doors.hub.keep("before", Status.COMPLETED, created_at="2025-12-31T23:59:59Z")
    doors.hub.keep("after", Status.COMPLETED, created_at="2026-01-01T00:00:01Z")
    await delete(doors, "instances/?createdTimeFrom=2020-01-01")
    assert sorted(doors.hub.kept) == ["after"]


async def test_a_purge_of_the_running_deletes_nothing(doors: Doors) -> None:
    doors.hub.keep("r", Status.RUNNING)
    doors.hub.keep("c", Status.COMPLETED)
    assert (await delete(doors, "instances/?createdTimeFrom=2020-01-01&createdTimeTo=2027-01-01&runtimeStatus=Running")).status == 404
    answer = await delete(doors, "instances/?createdTimeFrom=2020-01-01&createdTimeTo=2027-01-01&runtimeStatus=Running,Completed")
    assert answer.json == {"instancesDeleted": 1}
    assert sorted(doors.hub.kept) == ["r"]


@pytest.mark.parametrize("query", ["", "?createdTimeFrom=bad", "?runtimeStatus=Completed"])
async def test_a_purge_by_filter_needs_a_beginning(doors: Doors, query: str) -> None:
    answer = await delete(doors, f"instances/{query}")
    assert (answer.status, answer.json) == (400, "Please provide value for 'createdTimeFrom' parameter.")
