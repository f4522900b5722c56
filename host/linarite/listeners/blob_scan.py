"""Looks through one container again and again for blobs that are new or have changed.

New is what was modified since the last look at the whole container began; the service knows only seconds, so the last one counts twice.
What was found and could not be passed on is passed on at the next look.
Source: Storage blobs extension 5.x, ScanContainersStrategy (emulator) and ScanBlobScanLogHybridPollingStrategy.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone

from linarite.bindings.blob_paths import BlobPath
from linarite.bindings.wakes import Wakes
from linarite.clock import Clock, within
from linarite.errors import StorageRefused, StorageUnavailable
from linarite.storage.account import Storage
from linarite.storage.blob_properties import BlobProperties
from linarite.storage.outages import Outages

EMULATOR_INTERVAL_S = 2.0
INTERVAL_S = 10.0
_BUDGET = 10_000
"""How many blobs one look goes through; the next look goes on from there."""
_PAGE = 5000
_AT_ONCE = 16
_BEGINNING = datetime(1, 1, 1, tzinfo=timezone.utc)

Found = Callable[[BlobPath, BlobProperties], Awaitable[bool]]
"""Pass a blob on; False asks to be told of it again at the next look."""


class ContainerScan:
    """One container of one account."""

    def __init__(self, storage: Storage, container: str, found: Found, clock: Clock, wakes: Wakes, outages: Outages) -> None:
        self._storage = storage
        self._container = container
        self._place = storage.blobs.url(container)
        self._found = found
        self._clock = clock
        self._wakes = wakes
        self._outages = outages
        self._woken = asyncio.Event()
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self._since = _BEGINNING
        self._latest = _BEGINNING
        self._latest_before = _BEGINNING
        self._after: str | None = None
        self._passed_on: dict[tuple[str, str], datetime] = {}
        self._again: dict[str, BlobProperties] = {}

    def start(self) -> None:
        """Begin to look."""
        self._stopping = False
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no more; returns when the present look is over."""
        loop, self._loop = self._loop, None
        self._stopping = True
        self._woken.set()
        if loop is not None:
            try:
                await loop
            except asyncio.CancelledError:
                loop.cancel()
                await asyncio.gather(loop, return_exceptions=True)
                raise

    def look_again(self) -> None:
        """Look now."""
        self._woken.set()

    async def _run(self) -> None:
        interval_s = EMULATOR_INTERVAL_S if self._storage.account.is_emulator else INTERVAL_S
        with self._wakes.subscribe(self._place, self._woken):
            while not self._stopping:
                self._woken.clear()
                await self._look()
                if not self._stopping:
                    with contextlib.suppress(TimeoutError):
                        await within(self._clock, interval_s, self._woken.wait())

    async def _look(self) -> None:
        service = self._storage.account.blob_url
        try:
            await self._pass_on(dict(self._again))
            await self._go_through()
        except StorageUnavailable as problem:
            self._outages.failed(service, problem)
        except StorageRefused as refused:
            self._outages.answered(service)
            if not refused.is_missing:  # no such container yet
                self._outages.failed(self._place, refused)
        else:
            self._outages.answered(service)
            self._outages.answered(self._place)

    async def _go_through(self) -> None:
        budget = _BUDGET
        while budget > 0 and not self._stopping:
            if self._after is None:
                self._latest_before = self._latest
            page = await self._storage.blobs.page(self._container, self._after, _PAGE)
            new = {name: properties for name, properties in page.blobs.items() if self._is_new(name, properties)}
            self._again.update(new)  # kept until it is passed on, also if storage goes away meanwhile
            self._latest = max([self._latest, *(properties.modified_at for properties in page.blobs.values())])
            self._after = page.continuation
            await self._pass_on(new)
            if self._after is None:
                # Not `_latest`: what was modified behind the place we had got to is older than that, and was not seen.
                self._since = self._latest_before
                self._forget_old()
                return
            budget -= len(page.blobs)

    def _is_new(self, name: str, properties: BlobProperties) -> bool:
        return properties.modified_at >= self._since and (name, properties.etag) not in self._passed_on

    async def _pass_on(self, blobs: dict[str, BlobProperties]) -> None:
        waiting = list(blobs.items())
        while waiting and not self._stopping:
            some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            results = await asyncio.gather(
                *(self._found(BlobPath(self._container, name), blob) for name, blob in some), return_exceptions=True
            )
            for (name, blob), result in zip(some, results, strict=True):
                if result is True:
                    self._passed_on[name, blob.etag] = blob.modified_at
                    if self._again.get(name) == blob:
                        del self._again[name]
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    def _forget_old(self) -> None:
        """What was modified before the last second seen is not asked about any more."""
        self._passed_on = {version: modified_at for version, modified_at in self._passed_on.items() if modified_at >= self._since}
