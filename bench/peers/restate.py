"""Restate: its server as it comes, a service on its Python SDK, driven over HTTP as ours is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from bench.measure import child, free_port, wait_for_answer
from bench.orchestrations import Figures, measure
from bench.peers.environment import npm_package, python_with

_SERVER, _SDK = "1.7.12", "1.3.0"
NAME = f"Restate {_SERVER}"
_ROOT = Path(__file__).parents[2]


class OverHttp:
    """Restate's ingress. The end of an invocation can be waited for, so nothing is asked twice."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def start(self, name: str, argument: int | None = None) -> str:
        headers = {} if argument is None else {"content-type": "application/json"}  # a handler without a parameter takes no body
        body = None if argument is None else str(argument)
        async with self._session.post(f"/bench/{name}/send", data=body, headers=headers) as answer:
            return str((await answer.json())["invocationId"])

    async def finish(self, handle: str, pause_s: float) -> None:
        async with self._session.get(f"/restate/invocation/{handle}/attach") as answer:
            if answer.status != 200:
                raise RuntimeError(await answer.text())


async def _through(ingress: int, admin: int, service: int) -> Figures:
    deployment = {"uri": f"http://127.0.0.1:{service}"}
    async with aiohttp.request("POST", f"http://127.0.0.1:{admin}/deployments", json=deployment) as answer:
        if answer.status != 201:
            raise RuntimeError(await answer.text())
    async with aiohttp.ClientSession(f"http://127.0.0.1:{ingress}", skip_auto_headers=["Content-Type"]) as session:
        return await measure(OverHttp(session))


def figures(scratch: Path) -> Figures:
    """Restate's figures; its data lies in `scratch`."""
    python = python_with("restate-sdk", f"restate-sdk=={_SDK}", "hypercorn==0.18.0")
    [server] = npm_package("restate-server", f"@restatedev/restate-server@{_SERVER}").glob(
        "@restatedev/restate-server-*/bin/restate-server"
    )
    ingress, admin, node, service = (free_port() for _ in range(4))
    environment = {
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
    }
    with (
        child(str(server), "--base-dir", str(scratch / "data"), "--node-name", "bench", cwd=scratch, **environment),
        child(str(python), "-m", "hypercorn", "bench.peers.restate_service:app", "--bind", f"127.0.0.1:{service}", cwd=_ROOT),
    ):
        wait_for_answer(admin, "/health")
        wait_for_answer(ingress, "/restate/health")
        wait_for_answer(service, "/restate/health")
        return asyncio.run(_through(ingress, admin, service))
