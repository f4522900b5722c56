"""Keys: who may call what when they are asked for, and how they are kept."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from linarite.errors import OperatorError
from linarite.web.app import Web
from linarite.web.keys import Keys
from tests.web.calls import call, site, web
from tests.web.functions import http_function
from tests.web.test_app import hook

ANON = http_function("anon")
FUNC = http_function("func", authLevel="FUNCTION")
OTHER = http_function("other")
DEFAULT = http_function("default", authLevel=None)
ADMIN = http_function("adm", authLevel="admin")


@pytest.fixture
def app(tmp_path: Path) -> Web:
    return web(site(ANON, FUNC, OTHER, DEFAULT, ADMIN), tmp_path, locked=True, webhooks={"durabletask": hook})


def keys(app: Web) -> dict[str, str]:
    own = app.doors.keys
    own.system_key("durabletask_extension")
    own.system_key("blobs_extension")
    return {
        "master": own.master,
        "host": own.host_keys("functionkeys")[0].value,
        "func": own.function_keys("func")[0].value,
        "other": own.function_keys("other")[0].value,
        "durabletask": own.system_key("durabletask_extension"),
        "blobs": own.system_key("blobs_extension"),
        "wrong": "wrong",
        "empty": "",
    }


@pytest.mark.parametrize(
    ("target", "open_to", "otherwise"),
    [
        ("/api/anon", {"none", "master", "host", "func", "other", "durabletask", "blobs", "wrong", "empty"}, {}),
        ("/", {"none", "wrong", "host"}, {}),
        ("/admin/host/ping", {"none", "wrong", "host"}, {}),
        ("/api/func", {"master", "host", "func"}, dict.fromkeys(("none", "other", "durabletask", "wrong", "empty"), 401)),
        ("/api/default", {"master", "host"}, dict.fromkeys(("none", "func", "wrong"), 401)),
        ("/api/adm", {"master"}, dict.fromkeys(("none", "host", "func", "durabletask", "wrong"), 401)),
        ("/admin/host/status", {"master"}, {"none": 401, "wrong": 401, "host": 403, "durabletask": 403}),
        ("/admin/nosuch", set(), dict.fromkeys(("none", "master", "host"), 404)),
        (
            "/runtime/webhooks/durabletask/x",
            {"master", "durabletask"},
            {"none": 401, "wrong": 401, "host": 403, "blobs": 403},
        ),
        ("/runtime/webhooks/blobs", set(), {"none": 401, "host": 403, "durabletask": 403, "blobs": 404, "master": 404}),
    ],
)
async def test_who_may_call_what(app: Web, target: str, open_to: set[str], otherwise: dict[str, int]) -> None:
    values = keys(app)
    for who in open_to | set(otherwise):
        headers = {} if who == "none" else {"x_functions_key": values[who]}
        status = (await call(app, "GET", target, headers)).status
        assert status == otherwise.get(who, 202 if "durabletask" in target else 200), who


@pytest.mark.parametrize(
    ("target", "challenge"), [("/api/func", None), ("/admin/host/status", "Bearer"), ("/runtime/webhooks/x", "Bearer")]
)
async def test_only_management_endpoints_challenge(app: Web, target: str, challenge: str | None) -> None:
    answered = await call(app, "GET", target)
    assert (answered.status, answered.body, answered.header("www-authenticate")) == (401, b"", challenge)


async def test_the_key_may_be_in_the_query_under_a_name_in_any_case(app: Web) -> None:
    key = keys(app)["func"]
    assert (await call(app, "GET", f"/api/func?CODE={key}")).status == 200
    assert (await call(app, "GET", "/api/func?code=wrong")).status == 401


async def test_the_header_wins_over_the_query(app: Web) -> None:
    key = keys(app)["func"]
    assert (await call(app, "GET", "/api/func?code=wrong", x_functions_key=key)).status == 200
    assert (await call(app, "GET", f"/api/func?code={key}", x_functions_key="wrong")).status == 401


async def test_keys_are_compared_exactly(app: Web) -> None:
    key = keys(app)["func"]
    assert (await call(app, "GET", "/api/func", x_functions_key=key)).status == 200
    assert (await call(app, "GET", "/api/func", x_functions_key=key.swapcase())).status == 401


async def test_a_bearer_token_is_no_key(app: Web) -> None:
    assert (await call(app, "GET", "/api/func", authorization=f"Bearer {keys(app)['func']}")).status == 401


async def test_without_the_switch_everything_is_open(tmp_path: Path) -> None:
    app = web(site(FUNC, ADMIN), tmp_path)
    for target in ("/api/func", "/api/adm", "/admin/host/status"):
        assert (await call(app, "GET", target)).status == 200


@pytest.mark.parametrize(("who", "status"), [("none", 401), ("wrong", 401), ("func", 404), ("master", 200)])
async def test_a_disabled_function_with_keys(tmp_path: Path, who: str, status: int) -> None:
    app = web(site(FUNC, disabled=frozenset({"func"})), tmp_path, locked=True)
    headers = {} if who == "none" else {"x_functions_key": keys(app)[who]}
    assert (await call(app, "GET", "/api/func", headers)).status == status


def test_keys_outlive_the_process_in_files_only_the_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / ".linarite" / "keys"
    first = Keys(folder)
    master, own = first.master, first.function_keys("Func")[0].value
    again = Keys(folder)
    assert (again.master, again.function_keys("func")[0].value) == (master, own)
    assert stat.S_IMODE((folder / "host.json").stat().st_mode) == 0o600


def test_the_master_key_is_shown_once_however_long_ago_it_was_made(tmp_path: Path) -> None:
    master = Keys(tmp_path).master
    assert Keys(tmp_path).show_once() == master
    assert Keys(tmp_path).show_once() == ""


def test_the_files_have_the_functions_hosts_form(tmp_path: Path) -> None:
    own = Keys(tmp_path)
    own.system_key("durabletask_extension")
    own.function_keys("F")
    host = json.loads((tmp_path / "host.json").read_text("utf-8"))
    assert list(host) == ["masterKey", "functionKeys", "systemKeys", "hostName", "instanceId", "source", "decryptionKeyId"]
    assert host["masterKey"] == {"name": "master", "value": own.master, "encrypted": False}
    assert [key["name"] for key in host["systemKeys"]] == ["durabletask_extension"]
    assert next(iter(json.loads((tmp_path / "functions" / "f.json").read_text("utf-8")))) == "keys"


def test_a_key_has_the_functions_hosts_form(tmp_path: Path) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{6}==", Keys(tmp_path).master)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{", "utf-8")
    with pytest.raises(OperatorError, match=r"host\.json cannot be read.*Delete the file"):
        Keys(tmp_path).master  # noqa: B018
