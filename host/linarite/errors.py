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


class InvalidConnectionString(AppError):
    """A storage connection string cannot be read. The text names the part that is wrong, never its value."""

    def __init__(self, setting: str, found: str) -> None:
        super().__init__(
            f"Setting {setting} is not a storage connection string: {found}. Expected UseDevelopmentStorage=true, "
            "or AccountName=...;AccountKey=... with optional BlobEndpoint, QueueEndpoint and TableEndpoint."
        )


class WorkerDied(LinariteError):
    """The worker process ended while it ran an invocation."""


class FunctionTimedOut(LinariteError):
    """An invocation took longer than `functionTimeout` allows."""


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


class HubFileUnusable(HubUnavailable):
    """The embedded hub's file is held by another host, was written by a newer version, is damaged, or is something else."""


class StorageUnavailable(HubUnavailable):
    """An Azure Storage account or an emulator does not answer, or does not let us in."""


class StorageRefused(HubError):
    """Azure Storage answered a request with an error: `status` is HTTP's, `code` the service's own word for it."""

    def __init__(self, status: int, code: str, what: str) -> None:
        super().__init__(f"Azure Storage answered {status} {code} to {what}")
        self.status = status
        self.code = code

    @property
    def is_missing(self) -> bool:
        """What was asked for does not exist."""
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        """It exists already, is held by someone else, or has changed since it was read."""
        return self.status in (409, 412)


class WorkItemLockLost(HubError):
    """Someone else holds the instance; nothing was written."""


class InstanceExists(HubError):
    """The instance id is in use by an instance that may not be replaced."""

    def __init__(self, instance_id: str, status_label: str) -> None:
        super().__init__(f"An Orchestration instance with the status {status_label} already exists.")
        self.instance_id = instance_id
        self.status_label = status_label
