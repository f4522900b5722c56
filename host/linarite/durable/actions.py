"""What an orchestrator asks for, and what one episode of it answered.

Actions are leaves: a dialect has already taken `when_all` and `when_any` apart, depth first, in the order in which tasks get their
ids. The list is cumulative, as the SDK gives it: every action since the generation began, those of earlier episodes first.
Texts (`input`) are in stored form: what history, message and row will hold.
"""

from __future__ import annotations

import msgspec

from linarite.durable.events import FailureDetails
from linarite.timestamps import Timestamp


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When a failed attempt is tried again. The wait before attempt k+1 is `first_interval_s * backoff ** k`, capped."""

    first_interval_s: float
    max_attempts: int
    backoff: float = 1.0
    max_interval_s: float = 6 * 86400.0


class CallActivity(msgspec.Struct, frozen=True, kw_only=True):
    """Run an activity."""

    name: str
    input: str | None = None
    retry: RetryPolicy | None = None


class CallSubOrchestration(msgspec.Struct, frozen=True, kw_only=True):
    """Run a child; without `instance_id` it is named after the parent's execution and the task id."""

    name: str
    input: str | None = None
    instance_id: str | None = None
    version: str | None = None
    retry: RetryPolicy | None = None
    tags: dict[str, str] | None = None
    """The child's own tags; `FireAndForget` among them means that the parent does not wait."""


class CreateTimer(msgspec.Struct, frozen=True, kw_only=True):
    """Wait until `fire_at`. A cancelled timer no longer keeps the instance from completing."""

    fire_at: Timestamp
    is_canceled: bool = False


class WaitForEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Wait for an external event; takes no id."""

    name: str


class SendEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Send an event to another instance. `input` is the text it will carry."""

    instance_id: str
    name: str
    input: str | None = None


class CallEntity(msgspec.Struct, frozen=True, kw_only=True):
    """Ask an entity and wait for its answer, or (`is_signal`) only tell it, at `due` if that is given. `input` is the request's text."""

    instance_id: str
    operation: str
    input: str | None = None
    is_signal: bool = False
    due: Timestamp | None = None


class ContinueAsNew(msgspec.Struct, frozen=True, kw_only=True):
    """Begin the next generation with this input."""

    input: str | None = None
    version: str | None = None


Action = CallActivity | CallSubOrchestration | CreateTimer | WaitForEvent | SendEvent | CallEntity | ContinueAsNew


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why an orchestrator failed, as the instance's output will say it. Without `text` the details alone say it."""

    text: str | None
    details: str | None = None
    """What a parent is told beside the text; see SubOrchestrationInstanceFailed."""
    failure_details: FailureDetails | None = None
    is_labelled: bool = True
    """False: the answer carried no actions, so nothing can be said about determinism."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one episode answered.

    `output` and `custom_status` are JSON text. `is_done` with a trailing ContinueAsNew begins the next generation; with `failure`
    the instance fails once the listed actions have been asked for.
    """

    actions: tuple[Action, ...] = ()
    is_done: bool = False
    output: str | None = None
    custom_status: str | None = None
    failure: Failure | None = None
