"""The app lease: only the hosts of one app at a time work on a task hub.

All hosts of an app use one lease id, so each of them may take or renew the lease; a host of another app waits. Who holds it is written
into a blob beside it, where another app may also ask for it.
Source: DurableTask.AzureStorage, AppLeaseManager.
"""

from __future__ import annotations

import logging

import msgspec

from linarite.clock import Clock
from linarite.errors import HubError, StorageRefused
from linarite.storage.blobs import Blobs
from linarite.taskhub.azure.names import HubNames, app_lease_id
from linarite.taskhub.azure.timing import Timing

_log = logging.getLogger(__name__)


class _Info(msgspec.Struct, rename="pascal"):
    owner_id: str | None = None
    desired_swap_id: str | None = None


class AppLease:
    """One app's hold on a hub."""

    def __init__(self, blobs: Blobs, names: HubNames, app_name: str, timing: Timing, clock: Clock) -> None:
        self._blobs = blobs
        self._names = names
        self._id = app_lease_id(app_name)
        self._timing = timing
        self._clock = clock

    async def create(self) -> None:
        """Make the container and the blob, unless they are there."""
        await self._blobs.create_container(self._names.app_lease_container)
        try:
            await self._blobs.put(self._names.app_lease_container, self._names.app_lease_blob, b"{}", overwrite=False)
        except StorageRefused as refused:
            if not refused.is_conflict:
                raise

    async def acquire(self) -> bool:
        """Take the lease; False if another app has it."""
        container, blob = self._names.app_lease_container, self._names.app_lease_blob
        info = msgspec.json.decode(await self._blobs.get(container, blob), type=_Info)
        try:
            if info.desired_swap_id == self._id and info.owner_id and info.owner_id != self._id:
                await self._blobs.change_lease(container, info.owner_id, self._id)
            else:
                await self._blobs.acquire_lease(container, self._id, self._timing.app_lease_s)
        except StorageRefused as refused:
            if refused.is_conflict:
                return False
            raise
        if info.owner_id != self._id or info.desired_swap_id is not None:
            await self._blobs.put(container, blob, msgspec.json.encode(_Info(self._id)))
        return True

    async def wait(self) -> None:
        """Return once the lease is ours; says so if another app is in the way."""
        while not await self._tried():
            await self._clock.sleep(self._timing.app_lease_retry_s)

    async def _tried(self) -> bool:
        try:
            if await self.acquire():
                return True
            _log.warning(
                "Another app holds task hub %s, so this one waits. Stop that app, or give one of the two another hubName in host.json.",
                self._names.hub,
            )
        except HubError as problem:
            _log.warning("Could not take the app lease of task hub %s: %s", self._names.hub, problem)
        return False

    async def keep(self) -> None:
        """Renew the lease until it is lost to another app."""
        while True:
            await self._clock.sleep(self._timing.app_lease_s * 0.4)
            try:
                await self._blobs.renew_lease(self._names.app_lease_container, self._id)
            except StorageRefused as refused:
                if refused.is_conflict:
                    return
                _log.warning("Could not renew the app lease: %s", refused)
            except HubError as problem:
                _log.warning("Could not renew the app lease: %s", problem)
