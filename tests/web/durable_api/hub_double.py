"""A hub's client half that keeps instances in a dict and remembers what it was told. Nothing happens to an instance by itself."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from linarite.durable.events import ExecutionStarted, HistoryEvent, Status
from linarite.durable.instances import Instance
from linarite.durable.messages import TaskMessage, is_entity
from linarite.errors import InstanceExists
from linarite.taskhub.protocol import InstanceQuery, Page


class HubDouble:
    """Implements HubClient. Pages continue after the last id of the page before."""

    def __init__(self) -> None:
        self.kept: dict[str, Instance] = {}
        self.histories: dict[str, list[HistoryEvent]] = {}
        self.created: list[TaskMessage] = []
        self.sent: list[TaskMessage] = []
        self.rewound: list[tuple[str, str | None]] = []

    def keep(self, instance_id: str, status: Status = Status.RUNNING, **columns: object) -> Instance:
        """Put an instance there; columns that do not matter have a default."""
        instance = Instance(
            instance_id=instance_id,
            execution_id="e",
            name="wait",
            version=None,
            status=status,
            input=None,
            output=None,
            custom_status=None,
            created_at="2026-01-01T00:00:00.1234567Z",
            last_updated_at="2026-01-01T00:00:05Z",
            completed_at=None,
            scheduled_start=None,
            generation=0,
            tags=None,
        )
        self.kept[instance_id] = msgspec.structs.replace(instance, **columns)
        return self.kept[instance_id]

    async def create(self, start: TaskMessage, overridable: frozenset[Status]) -> None:
        event = start.event
        assert isinstance(event, ExecutionStarted)
        existing = self.kept.get(start.target.instance_id)
        if existing is not None and existing.status not in overridable:
            raise InstanceExists(existing.instance_id, existing.status.label)
        self.created.append(start)
        self.keep(start.target.instance_id, Status.PENDING, name=event.name, input=event.input, version=event.version, tags=event.tags)

    async def send(self, message: TaskMessage) -> None:
        self.sent.append(message)

    async def instance(self, instance_id: str) -> Instance | None:
        return self.kept.get(instance_id)

    async def instances(self, query: InstanceQuery) -> Page:
        found = [self.kept[instance_id] for instance_id in sorted(self.kept) if self._matches(self.kept[instance_id], query)]
        later = [instance for instance in found if query.after is None or instance.instance_id > query.after]
        page = later[: query.page_size]
        return Page(tuple(page), page[-1].instance_id if len(later) > len(page) else None)

    @staticmethod
    def _matches(instance: Instance, query: InstanceQuery) -> bool:
        return (
            (query.created_from is None or instance.created_at >= query.created_from)
            and (query.created_to is None or instance.created_at <= query.created_to)
            and (not query.statuses or instance.status in query.statuses)
            and instance.instance_id.startswith(query.id_prefix or "")
            and not (query.exclude_entities and is_entity(instance.instance_id))
        )

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        return self.histories.get(instance_id, [])

    async def rewind(self, instance_id: str, reason: str | None) -> None:
        self.rewound.append((instance_id, reason))

    async def purge(self, instance_id: str) -> bool:
        return self.kept.pop(instance_id, None) is not None
