"""Everything that can go wrong by name, split by who has to act: the app's author, the operator, or us.

The class states the fact; the message says what was found, what was expected and what to do next.
"""

from __future__ import annotations


class LinariteError(Exception):
    """Base of all errors of this package. Its text is meant for the person at the terminal; no traceback is shown with it."""


class AppError(LinariteError):
    """The app's code or its settings need a change; saving the change is enough."""


class OperatorError(LinariteError):
    """The machine or the command line needs a change: a port, an interpreter, a folder, a storage emulator."""


class InternalError(LinariteError):
    """We are wrong; please report it."""


class WorkerDied(LinariteError):
    """The worker process ended while it ran an invocation."""


class UserCodeFailed(Exception):
    """An app's function raised. `stack` is its own traceback as text, without frames of ours."""

    def __init__(self, type_name: str, message: str, stack: str) -> None:
        super().__init__(f"{type_name}: {message}" if message else f"{type_name}: ")
        self.type_name = type_name
        self.message = message
        self.stack = stack


class HubError(LinariteError):
    """A task hub could not do what it was asked."""


class HubUnavailable(HubError):
    """The hub's storage does not answer, or refuses; trying again may help."""


class WorkItemLockLost(HubError):
    """Someone else holds the instance; nothing was written."""


class InstanceExists(HubError):
    """The instance id is in use by an instance that may not be replaced."""

    def __init__(self, instance_id: str, status_label: str) -> None:
        super().__init__(f"An Orchestration instance with the status {status_label} already exists.")
        self.instance_id = instance_id
        self.status_label = status_label
