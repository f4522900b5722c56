"""Recorded invocations of the reference's extension, and the app that answered them."""

from __future__ import annotations

import importlib.util
import json
import re
import warnings
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from linarite.dialects.json_shim import answers
from linarite.durable.actions import Answer
from linarite.durable.events import HistoryEvent, decode_event
from linarite.errors import UserCodeFailed
from linarite.settings import DurableSettings

DATA = Path(__file__).parent / "data"

_VERSIONED = DurableSettings(default_version="1.0", version_failure="Fail", store_inputs=True)
_SMALL = DurableSettings(max_actions=2)


def settings_of(scenario: str) -> DurableSettings:
    """host.json of a recording, as far as the core reads it."""
    if scenario.startswith(("ver_", "store_inputs")):
        return _VERSIONED
    return _SMALL if scenario in ("blob_pm_fan", "maxactions_chain", "maxactions_fan") else DurableSettings()


@dataclass(frozen=True, slots=True)
class Recorded:
    """One invocation: of what, with what, and how it ended."""

    scenario: str
    kind: str
    function: str
    payload: Any
    answer: str | None
    error: str | None
    stack: str | None

    @property
    def history(self) -> list[HistoryEvent]:
        return [decode_event(json.dumps(event)) for event in self.payload["history"]]

    def reply(self) -> Answer:
        """What the dialect makes of the end of this invocation."""
        return _reply(self.function, self.history[0].timestamp, self.answer, self.error, self.stack)

    def ask_again(self, document: str) -> Answer:
        """What the app's code answers to another request."""
        app = extension_app()
        code = app.RAW.get(self.function) or app.O[self.function]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _reply(self.function, self.history[0].timestamp, code(document), None, None)


def _reply(function: str, clock: str, answer: str | None, error: str | None, stack: str | None) -> Answer:
    if error is None:
        return answers.answer(function, answer, clock)
    type_name, _, message = error.partition(": ")
    return answers.failure(function, UserCodeFailed(type_name, message, stack or ""), clock)


@cache
def invocations() -> list[Recorded]:
    """All of them, in order; what a recording cut off is filled up with dots."""
    found: list[Recorded] = []
    with (DATA / "payloads" / "invocations.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            scenario, kind, function, payload, answer, error, stack = _filled(json.loads(line))
            if answer and '"length":' in answer:
                answer = json.dumps(_filled(json.loads(answer)))
            if error and error.endswith("…") and kind == "orch":
                error = _labelled(
                    error, next(r for r in reversed(found) if r.kind == kind and r.payload["instanceId"] == payload["instanceId"])
                )
            found.append(Recorded(scenario, kind, function, payload, answer, error, stack))
    return found


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"head", "length"}:
            return value["head"] + "." * (value["length"] - len(value["head"]) - 1) + "…"
        return {name: _filled(inner) for name, inner in value.items()}
    return [_filled(inner) for inner in value] if isinstance(value, list) else value


def _labelled(error: str, before: Recorded) -> str:
    """A failure whose payload was cut off: it lists the actions of the answer before."""
    document = json.loads(before.answer or "{}") | {"isDone": False, "error": error.partition(": ")[2]}
    return error + answers.LABEL + json.dumps(document)


@cache
def orchestrations() -> dict[tuple[str, str], list[Recorded]]:
    """Orchestrator invocations by scenario and instance, in order."""
    found = defaultdict(list)
    for invocation in invocations():
        if invocation.kind == "orch":
            found[invocation.scenario, invocation.payload["instanceId"]].append(invocation)
    return dict(found)


@cache
def extension_app() -> Any:
    """The module with the recorded orchestrators, activities and entities."""
    spec = importlib.util.spec_from_file_location("extension_app", DATA / "extension_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def wire(name: str) -> list[list[Any]]:
    """Recorded messages or rows, `extension-messages` or `extension-rows`."""
    with (DATA / "wire" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


_INSTANT = re.compile(r"(?!0001)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
_STACK = re.compile(r'StackTrace: ([^"\\]|\\.)*')


def alike(value: Any) -> Any:
    """The value with times, random ids and stack traces replaced; equal ids stay equal."""
    seen: dict[str, str] = {}
    text = _STACK.sub("StackTrace: …", _INSTANT.sub("<time>", json.dumps(value)))
    return json.loads(_ID.sub(lambda match: seen.setdefault(match.group(), f"<id {len(seen)}>"), text))
