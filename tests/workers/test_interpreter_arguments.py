"""What an editor hands over for the worker's interpreter."""

from __future__ import annotations

import asyncio
import socket

import pytest

from linarite.errors import OperatorError
from linarite.workers.interpreter_arguments import Debugger, InterpreterArguments, debugpy_arguments, parsed_arguments


@pytest.mark.parametrize(
    ("text", "debugger"),
    [
        ("-m debugpy --listen 127.0.0.1:9091", Debugger("127.0.0.1", 9091)),
        ("-m debugpy --listen 5678", Debugger("127.0.0.1", 5678)),
        ("-m debugpy --listen 0.0.0.0:5678 --wait-for-client", Debugger("0.0.0.0", 5678, waits=True)),
        ("'/home/a b/extensions/libs/debugpy' --listen localhost:9091 --log-dir x", Debugger("localhost", 9091)),
    ],
)
def test_a_debugger_is_known_by_where_it_listens(text: str, debugger: Debugger) -> None:
    assert parsed_arguments(text).debugger == debugger


def test_everything_but_the_wait_is_the_interpreter_s() -> None:
    found = parsed_arguments("'/a b/debugpy' --wait-for-client --listen 9091 --log-dir x")
    assert found.words[-5:] == ("/a b/debugpy", "--listen", "9091", "--log-dir", "x")


@pytest.mark.parametrize("text", ["-X dev", "-W error -X importtime", "-m debugpy --connect 127.0.0.1:1"])
def test_other_arguments_bring_no_port_of_ours_to_look_after(text: str) -> None:
    assert parsed_arguments(text) == InterpreterArguments(tuple(text.split()))


def test_an_editor_that_does_not_wait_can_be_overruled() -> None:
    assert parsed_arguments("-m debugpy --listen 127.0.0.1:9091", waits=True) == debugpy_arguments(9091, waits=True)


@pytest.mark.parametrize("text", ["-m debugpy --listen", "-m debugpy --listen here", "-m debugpy --listen 1.2.3.4:99999"])
def test_a_debugger_that_is_to_listen_nowhere_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match=r"expected a port such as 9091 or 127\.0\.0\.1:9091 after --listen"):
        parsed_arguments(text)


async def test_a_port_that_is_let_go_of_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as before:
        port = before.getsockname()[1]
        waiting = asyncio.ensure_future(Debugger("127.0.0.1", port).until_port_is_free())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
