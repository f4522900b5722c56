"""An orchestrator whose code is changed while an instance of it waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host_process import HostProcess, client, finished

APP = """
import logging

import azure.durable_functions as df

app = df.DFApp()


def steps(context):
    yield context.call_activity("pack", "a kettle")
    logging.warning("packed")
    return (yield context.wait_for_external_event("Paid"))


@app.orchestration_trigger(context_name="context")
def order(context):
    return (yield from steps(context))


@app.activity_trigger(input_name="what")
def pack(what: str) -> None: ...


@app.activity_trigger(input_name="what")
def ship(what: str) -> None: ...
"""
STARTS = "/runtime/webhooks/durabletask/orchestrators/order"


@pytest.mark.parametrize("flags", [(), ("--in-process",)], ids=["child", "in process"])
@pytest.mark.parametrize(
    ("before", "after", "found", "marked"),
    [
        ('call_activity("pack"', 'call_activity("ship"', "CallActivity 'ship'", 'yield context.call_activity("ship"'),
        ('    yield context.call_activity("pack", "a kettle")\n', "", "no action", 'wait_for_external_event("Paid")'),
    ],
    ids=["another activity", "no activity"],
)
async def test_it_is_told_with_row_action_and_line(
    app_folder: Path, flags: tuple[str, ...], before: str, after: str, found: str, marked: str
) -> None:
    script = app_folder / "function_app.py"
    script.write_text(APP, "utf-8")
    async with HostProcess(app_folder, "--storage", "embedded", *flags) as host, client(host) as session:
        async with session.post(STARTS) as answer:
            urls = await answer.json()
        await host.said("packed")
        changed = APP.replace(before, after)
        assert changed != APP
        script.write_text(changed, "utf-8")
        await host.said("Reloaded: ")
        async with session.post(str(urls["sendEventPostUri"]).replace("{eventName}", "Paid"), json=1) as answer:
            assert answer.status == 202
        status = await finished(session, urls["statusQueryGetUri"])
        assert str(status["output"]).startswith("Non-Deterministic workflow detected: ")
        line = next(number for number, text in enumerate(changed.splitlines(), 1) if marked in text)
        said = rf"row 2 is TaskScheduled 'pack' \(task 0\), and the orchestrator now asks for {found} \((\S+):{line}\)\."
        match = await host.said(said)
        assert Path(match.group(1)) == script
