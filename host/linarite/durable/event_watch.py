"""Notices external events that an orchestrator will not get as its author expects.

The SDK keeps one event of a name that nobody waits for yet: a second replaces it, the one kept is handed to every later wait, and names
are compared with their case. Real apps on Azure behave so too, so nothing is changed here; but it is said, with the history's row.

What is not certain is not said: an event and a wait of the same episode are taken to have met.
Source: azure-functions-durable, TaskOrchestrationExecutor.set_task_value and DurableOrchestrationContext._add_to_open_tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from linarite.durable.actions import Action, WaitForEvent
from linarite.durable.delivery import request_ids
from linarite.durable.events import EventRaised, HistoryEvent


@dataclass(slots=True)
class _Kept:
    """The one event of a name that nobody had waited for; `row` is its position in the history."""

    row: int
    is_taken: bool = False


@dataclass(slots=True)
class EventWatch:
    """What is known of one generation's waits and events, episode by episode."""

    waits: int = 0
    _open: Counter[str] = field(default_factory=Counter)
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def copy(self) -> EventWatch:
        """One that goes on apart from this one."""
        return EventWatch(self.waits, self._open.copy(), {name: replace(kept) for name, kept in self._kept.items()})

    def follow(self, past: Sequence[HistoryEvent], new: Sequence[HistoryEvent], actions: Sequence[Action]) -> list[str]:
        """Take an episode in: its new events, and the actions it answered. Returns what is to be said."""
        names = [action.name for action in actions if isinstance(action, WaitForEvent)]
        fresh = Counter(names[self.waits :])
        answers = request_ids((*past, *new)) if any(isinstance(event, EventRaised) for event in new) else frozenset()
        said = []
        for row, event in enumerate(new, start=len(past)):
            if isinstance(event, EventRaised) and event.name.lower() not in answers:
                said += self._raised(event.name, row, fresh)
        for name in names[self.waits :]:
            if fresh[name] > 0:
                fresh[name] -= 1
                said += self._waited(name)
        self.waits = len(names)
        return said

    def _raised(self, name: str, row: int, fresh: Counter[str]) -> list[str]:
        for waits in (self._open, fresh):
            if waits[name] > 0:
                waits[name] -= 1
                return []
        said = []
        before = self._kept.get(name)
        if before is not None and not before.is_taken:
            said.append(
                f"event '{name}' (history row {before.row}) is lost: another one (row {row}) came before the orchestrator waited for it, "
                "and the SDK keeps only the last. Wait before the event can be raised, or give each event a name of its own."
            )
        self._kept[name] = _Kept(row)
        meant = next((other for other in (+self._open | +fresh) if other.lower() == name.lower()), None)
        if meant is not None:
            said.append(
                f"event '{name}' (history row {row}) reaches nobody: the orchestrator waits for '{meant}', and the SDK tells upper case "
                f"from lower. Raise it as '{meant}'."
            )
        return said

    def _waited(self, name: str) -> list[str]:
        kept = self._kept.get(name)
        if kept is None:
            self._open[name] += 1
            return []
        if kept.is_taken:
            return [
                f"event '{name}' (history row {kept.row}) is given to another wait: it came before the first one, and the SDK hands such "
                "an event to every later wait of its name. Give each wait a name of its own."
            ]
        kept.is_taken = True
        return []

    def forgotten(self, carried: Collection[int]) -> list[str]:
        """What is to be said when the generation ends in a continue-as-new that carries the events of these rows."""
        return [
            f"event '{name}' (history row {kept.row}) is lost: the orchestrator continued as new before it waited for it. "
            "Wait for the event before continue_as_new, or raise it again."
            for name, kept in self._kept.items()
            if not kept.is_taken and kept.row not in carried
        ]
