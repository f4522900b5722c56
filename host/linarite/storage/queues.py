"""Azure Storage queues: put, get, update and delete messages.

Texts are the caller's; this file knows XML and times, not what a message says. A message is identified by its id and the *latest* pop
receipt, which Put Message hands out too: whoever puts a message invisible may work on it without getting it.
Messages are asked for on the bare wire: the SDK's client costs five times the processor time of the call itself (measured), and every
activity is a handful of them. Queues are made and dropped by the SDK.
Source: "Queue Service REST API", learn.microsoft.com.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from linarite.errors import StorageRefused
from linarite.storage.sdk import RETRIES, be_quiet, credential, translated
from linarite.storage.wire import VERSION, Answer, Wire

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueServiceClient

MAX_DELAY_S = 7 * 86400
"""The service takes no longer visibility time-out."""

MAX_BATCH = 32
"""The most messages one Get hands out."""

_FOR_EVER = "-1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The right to update or delete a message until `visible_at` (UTC), when others may get it."""

    message_id: str
    pop_receipt: str
    visible_at: datetime


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as it was got. `dequeue_count` counts from 1; instants have a resolution of one second."""

    text: str
    receipt: Receipt
    inserted_at: datetime
    expires_at: datetime
    dequeue_count: int


class Queues:
    """The queues of one account."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._opened: QueueServiceClient | None = None

    def url(self, queue: str) -> str:
        """Absolute URL of a queue."""
        return self._wire.url("queue", queue)

    async def create(self, queue: str) -> None:
        """Create the queue unless it is there."""
        try:
            async with translated(self._wire.account, "queue", f"create queue {queue}"):
                await self._client.create_queue(queue)
        except StorageRefused as refused:
            if refused.code != "QueueAlreadyExists":
                raise

    async def drop(self, queue: str) -> None:
        """Delete the queue and all that is in it."""
        async with translated(self._wire.account, "queue", f"delete queue {queue}"):
            await self._client.delete_queue(queue)

    async def put(self, queue: str, text: str, hide_s: float | None = None, *, keep_s: int | None = None) -> Receipt:
        """Put a message that stays for `keep_s` seconds, or until it is deleted; with `hide_s` (rounded up to seconds) it is invisible
        that long."""
        query = {"messagettl": _FOR_EVER if keep_s is None else str(keep_s)}
        if hide_s is not None:
            query["visibilitytimeout"] = _seconds(hide_s)
        answer = await self._wire.send("queue", "POST", f"{queue}/messages", query=query, body=_body(text), content_type="application/xml")
        return _receipt(next(iter(ElementTree.fromstring(answer.body))))

    async def get(self, queue: str, count: int, hide_s: float) -> Sequence[QueueMessage]:
        """Up to `count` visible messages, hidden from everyone else for `hide_s` (rounded up to seconds)."""
        query = {"numofmessages": str(min(count, MAX_BATCH)), "visibilitytimeout": _seconds(hide_s)}
        return _messages(await self._wire.send("queue", "GET", f"{queue}/messages", query=query))

    async def update(self, queue: str, receipt: Receipt, hide_s: float) -> Receipt:
        """Hide a message for `hide_s` more seconds from now; 0 shows it at once. The receipt given is void afterwards."""
        query = {"popreceipt": receipt.pop_receipt, "visibilitytimeout": _seconds(hide_s)}
        answer = await self._wire.send("queue", "PUT", _path(queue, receipt), query=query)
        visible_at = parsedate_to_datetime(answer.headers["x-ms-time-next-visible"])
        return Receipt(receipt.message_id, answer.headers["x-ms-popreceipt"], visible_at)

    async def delete(self, queue: str, receipt: Receipt) -> None:
        """Delete a message."""
        await self._wire.send("queue", "DELETE", _path(queue, receipt), query={"popreceipt": receipt.pop_receipt})

    async def close(self) -> None:
        """Close the SDK's client, if it was used. The wire is the account's to close."""
        client, self._opened = self._opened, None
        if client is not None:
            await client.close()

    @property
    def _client(self) -> QueueServiceClient:
        if self._opened is None:
            from azure.storage.queue.aio import QueueServiceClient

            be_quiet()
            account = self._wire.account
            self._opened = QueueServiceClient(
                account.queue_url,
                credential=credential(account),
                api_version=VERSION,
                initial_backoff=0,
                increment_base=1,
                retry_total=RETRIES,
                random_jitter_range=0,
            )
        return self._opened


def _seconds(seconds: float) -> str:
    return str(min(max(math.ceil(seconds), 0), MAX_DELAY_S))


def _path(queue: str, receipt: Receipt) -> str:
    return f"{queue}/messages/{quote(receipt.message_id, safe='')}"


def _body(text: str) -> bytes:
    escaped = escape(text, {"\r": "&#13;"})  # a bare carriage return would come back as a line feed
    return f"<?xml version='1.0' encoding='utf-8'?>\n<QueueMessage><MessageText>{escaped}</MessageText></QueueMessage>".encode()


def _messages(answer: Answer) -> list[QueueMessage]:
    return [
        QueueMessage(
            text=element.findtext("MessageText", ""),
            receipt=_receipt(element),
            inserted_at=parsedate_to_datetime(element.findtext("InsertionTime", "")),
            expires_at=parsedate_to_datetime(element.findtext("ExpirationTime", "")),
            dequeue_count=int(element.findtext("DequeueCount", "1")),
        )
        for element in ElementTree.fromstring(answer.body)
    ]


def _receipt(element: ElementTree.Element) -> Receipt:
    visible_at = parsedate_to_datetime(element.findtext("TimeNextVisible", ""))
    return Receipt(element.findtext("MessageId", ""), element.findtext("PopReceipt", ""), visible_at)
