"""Signed requests to the queue and table services: the bare client under the calls that durable work makes all the time.

One activity costs about 10 ms of CPU in the Azure SDK's clients and 2 ms here, and an emulator takes close to three times as many a
second; so messages and rows go this way, and blobs and leases, which are rare, through the SDK (`blobs.py`). This file signs, sends,
tries again what may help, and turns every foreign failure into one of ours; what the bodies mean is its callers' business.
Source: "Authorize with Shared Key", learn.microsoft.com (Shared Key for queues, Shared Key Lite for tables).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, quote, urlsplit

from linarite.errors import StorageRefused, StorageUnavailable
from linarite.storage.connection import Account

if TYPE_CHECKING:
    import aiohttp

VERSION = "2021-12-02"
"""Service version asked for: old enough for every Azurite in use, new enough for all we need."""

CONNECTIONS = 64
"""Requests in flight at a time, over both services."""

ATTEMPTS = (0.1, 0.4, 1.2)
"""Seconds before each further attempt at a request that got no answer, or an answer that says to come again."""

TIMEOUT_S = 30.0
HURRY_S = 1.0
"""How long an answer is waited for once the wire is to hurry."""

Service = Literal["queue", "table"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer; header names are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The connections to one account's queues and tables. Belongs to one event loop; `close` ends it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._key = base64.b64decode(account.key) if account.key else b""
        self._urls = {"queue": account.queue_url, "table": account.table_url}
        self._session: aiohttp.ClientSession | None = None
        self._is_hurried = False
        self._is_given_up = False

    def hurry(self) -> None:
        """Lose no time with a service that is away: the host stops, and what it still asks for is a courtesy to others."""
        self._is_hurried = True

    @property
    def _patience_s(self) -> float:
        return HURRY_S if self._is_hurried else TIMEOUT_S

    def url(self, service: Service, path: str) -> str:
        """Absolute URL of an escaped path."""
        return f"{self._urls[service]}/{path}"

    async def send(
        self,
        service: Service,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        content_type: str = "",
    ) -> Answer:
        """The answer to one request, `path` already escaped.

        Raises StorageRefused for an answer that is an error, StorageUnavailable if there was none or we were not let in.
        """
        if self._is_given_up:
            raise StorageUnavailable(self._unreachable(service, OSError("it did not a moment ago")))
        url = self._full_url(service, path, query or {})
        for wait_s in (*ATTEMPTS, None):
            signed = self._signed(service, method, url, dict(headers or {}), body, content_type)
            try:
                answer = await self._exchange(method, url, signed, body)
            except (OSError, asyncio.TimeoutError, self._client_error()) as problem:
                self._is_given_up = self._is_hurried
                if wait_s is None or self._is_hurried:
                    raise StorageUnavailable(self._unreachable(service, problem)) from None
            else:
                if answer.status < 400:
                    return answer
                if wait_s is None or self._is_hurried or answer.status not in (408, 429, 500, 502, 503, 504):
                    raise self._refusal(service, method, path, answer)
            await asyncio.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _full_url(self, service: Service, path: str, query: Mapping[str, str]) -> str:
        pairs = [f"{name}={quote(value, safe='')}" for name, value in query.items()]
        if self.account.sas and not self._key:
            pairs.append(self.account.sas)
        return self.url(service, path) + ("?" + "&".join(pairs) if pairs else "")

    async def _exchange(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        import aiohttp
        import yarl

        if self._session is None:
            self._session = self._open()
        address, patience = yarl.URL(url, encoded=True), aiohttp.ClientTimeout(total=self._patience_s)
        async with self._session.request(method, address, headers=headers, data=body or None, timeout=patience) as response:
            return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, await response.read())

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=4.0),  # Node closes idle ones after 5 s
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Content-Type", "User-Agent", "Accept"),
            auto_decompress=False,
        )

    @staticmethod
    def _client_error() -> type[Exception]:
        import aiohttp

        return aiohttp.ClientError

    def _signed(self, service: Service, method: str, url: str, headers: dict[str, str], body: bytes, content_type: str) -> dict[str, str]:
        headers["x-ms-date"] = formatdate(time.time(), usegmt=True)
        headers["x-ms-version"] = VERSION
        if content_type:
            headers["Content-Type"] = content_type
        if self._key:
            sign = self._text_of_table if service == "table" else self._text_of_queue
            digest = hmac.new(self._key, sign(method, url, headers, body).encode("utf-8"), hashlib.sha256).digest()
            scheme = "SharedKeyLite" if service == "table" else "SharedKey"
            headers["Authorization"] = f"{scheme} {self.account.name}:{base64.b64encode(digest).decode('ascii')}"
        return headers

    def _text_of_table(self, method: str, url: str, headers: dict[str, str], body: bytes) -> str:
        return f"{headers['x-ms-date']}\n/{self.account.name}{urlsplit(url).path}"

    def _text_of_queue(self, method: str, url: str, headers: dict[str, str], body: bytes) -> str:
        address = urlsplit(url)
        length = str(len(body)) if body else ""
        lines = [method, "", "", length, "", headers.get("Content-Type", ""), "", "", "", "", "", ""]
        lines += sorted(f"{name.lower()}:{value}" for name, value in headers.items() if name.lower().startswith("x-ms-"))
        lines.append(f"/{self.account.name}{address.path}")
        lines += sorted(f"{name.lower()}:{value}" for name, value in parse_qsl(address.query, keep_blank_values=True))
        return "\n".join(lines)

    def _unreachable(self, service: Service, problem: BaseException) -> str:
        reason = _reason(problem, self._patience_s)
        said = f" ({reason})" if reason else ""
        where = f"The {service} service of storage account {self.account.name} at {self._urls[service]}"
        if self.account.is_emulator:
            return f"{where} does not answer{said}. Start Azurite there, or correct the connection string."
        return f"{where} cannot be reached{said}. Check the network and the connection string."

    def _refusal(self, service: Service, method: str, path: str, answer: Answer) -> Exception:
        code = error_code(answer)
        where = f"storage account {self.account.name} at {self._urls[service]}"
        if answer.status in (401, 403):
            return StorageUnavailable(f"The key or signature for {where} is not accepted ({code}). Correct the connection string.")
        if answer.status >= 500 or answer.status in (408, 429):
            return StorageUnavailable(f"The {service} service of {where} is failing or too busy (HTTP {answer.status} {code}). Try again.")
        return StorageRefused(answer.status, code, f"{method} {path}")


def _reason(problem: BaseException, patience_s: float) -> str:
    """What the system says of a failed connection, without the client's own wrapping."""
    cause = getattr(problem, "os_error", problem)
    number = getattr(cause, "errno", None) or 0
    if isinstance(problem, asyncio.TimeoutError):
        return f"nothing within {patience_s:g} s"
    return os.strerror(number) if number > 0 else str(getattr(cause, "strerror", None) or cause)


def error_code(answer: Answer) -> str:
    """The service's own word for an error: from its header, its XML, or its JSON."""
    if code := answer.headers.get("x-ms-error-code"):
        return code
    text = answer.body.decode("utf-8", "replace")
    if match := re.search(r"<Code>([^<]*)</Code>", text):
        return match.group(1)
    try:
        return str(json.loads(text)["odata.error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "unknown error"
