"""The host's web application: every request comes in here, whichever generation of the app is being served.

A plain ASGI callable, since it is on the path of every call. Order of things as in the Functions host: availability, headers for all
answers, admin API, web hooks, functions, homepage, 404.
Source: azure-functions-host, WebJobsApplicationBuilderExtension; functions-host sections 1.9 and 3.1.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from linarite.clock import Clock, within
from linarite.web.auth import Doors
from linarite.web.cors import LOOPBACK, Cors, host_name
from linarite.web.functions import HttpFunctions
from linarite.web.homepage import homepage
from linarite.web.paths import InvalidPath, canonical
from linarite.web.reply import Headers, Reply
from linarite.web.requests import ClientGone, Message, Receive, Scope, Send, refusal
from linarite.web.responses import UnusableResponse, header
from linarite.web.site import HostView, Invoker, Site

log = logging.getLogger(__name__)

NOT_RUNNING = b"Function host is not running."
OFFLINE_FILE = "app_offline.htm"
"""While the app's folder has this file, its content is all that is served."""

MAX_WAIT_S = 30.0
"""How long a request waits for a generation that is being loaded."""
_WEBHOOKS = "/runtime/webhooks/"

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class Web:
    """Serves what `show` was last given; until then, and while `hold` is in force, requests wait.

    `webhooks`: the ASGI apps of extensions, by name in lower case; they answer below `/runtime/webhooks/<name>`.
    """

    def __init__(
        self,
        host: HostView,
        invoker: Invoker,
        doors: Doors,
        clock: Clock,
        *,
        cors: Cors | None = None,
        webhooks: Mapping[str, Asgi] | None = None,
    ) -> None:
        self.host = host
        self.doors = doors
        self.cors = cors or Cors()
        self.webhooks = dict(webhooks or {})
        self.site = Site(state="Starting")
        self._offline_file = os.fspath(host.folder / OFFLINE_FILE)
        self._invoker = invoker
        self.clock = clock
        self._functions = HttpFunctions(self.site, invoker)
        self._open = asyncio.Event()
        self._standing_headers: Headers = []
        self._date = b""
        self._date_until = datetime.min.replace(tzinfo=clock.now().tzinfo)

    def show(self, site: Site) -> None:
        """Serve this generation from now on. Requests that are running stay with theirs."""
        self.site = site
        self._functions = HttpFunctions(site, self._invoker)
        self._standing_headers = _custom_headers(site.host.http.custom_headers)
        self._open.set()

    def hold(self) -> None:
        """Let requests wait until `show` is called; those that are running go on."""
        self._open.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        finish = self._finishing(scope, send)
        try:
            reply = await self._answer(scope, receive, finish)
        except ClientGone:
            return
        except Exception:
            log.exception("%s %s failed. This is an error of linarite; please report it.", scope["method"], scope["path"])
            reply = Reply(500)
        if reply is not None:
            await reply.send(finish)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        """The answer; None if it has been sent already."""
        if (status := refusal(scope)) is not None:
            return Reply(status, closes=True)
        if scope["raw_path"] == b"*":
            return Reply(404)
        try:
            path, url_path = canonical(scope["raw_path"])
        except InvalidPath:
            return Reply(400, closes=True)
        start = path[: len(_WEBHOOKS)].lower()
        if start.startswith("/admin/"):
            return await self._answer_admin(path, scope, receive)
        if not self._open.is_set() and not await self._opens():
            return Reply(503, body=NOT_RUNNING)
        if (unavailable := self._unavailable(path)) is not None:
            return unavailable
        if self.cors.origins and (preflight := self.cors.preflight(scope["method"], _texts(scope))) is not None:
            return preflight
        if start == _WEBHOOKS:
            return await self._answer_webhook(path, scope, receive, send)
        return await self._answer_app(path, url_path, scope, receive, send)

    async def _answer_app(self, path: str, url_path: str, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        """The answer of the function whose route this is; else the homepage, or 404. None if the function has sent it."""
        site, functions = self.site, self._functions
        found = site.routes.find(scope["method"], path)
        if found is None:
            return homepage(site) if path == "/" else Reply(404)
        route, values = found
        name, target = route.function.name, functions.endpoints[route.function.id]
        if (refused := self.doors.refuse_call(name, target.level, scope)) is not None:
            return refused
        if name in site.disabled and not self.doors.is_master(scope):
            return Reply(404)
        return await functions.answer(target, values, scope, url_path, receive, send)

    def _unavailable(self, path: str) -> Reply | None:
        """503 while the app is offline or in error; of the latter the homepage tells."""
        if self.site.state == "Offline" or os.path.exists(self._offline_file):
            return self._offline()
        return Reply(503, body=NOT_RUNNING) if self.site.state == "Error" and path != "/" else None

    def _offline(self) -> Reply:
        try:
            return Reply(503, [(b"content-type", b"text/html")], Path(self._offline_file).read_bytes())
        except OSError:
            return Reply(503, body=NOT_RUNNING)

    async def _opens(self) -> bool:
        try:
            await within(self.clock, MAX_WAIT_S, self._open.wait())
        except TimeoutError:
            return False
        return True

    async def _answer_admin(self, path: str, scope: Scope, receive: Receive) -> Reply:
        headers = _texts(scope)
        if (preflight := self.cors.preflight(scope["method"], headers)) is not None:
            return preflight
        if self.cors.is_foreign(headers):
            return _foreign(headers)
        from linarite.web.admin.api import answer  # most hosts are never asked

        return await answer(self, path, scope, receive)

    async def _answer_webhook(self, path: str, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        extension = path[len(_WEBHOOKS) :].partition("/")[0].lower()
        headers = _texts(scope)
        if self.cors.is_foreign(headers):
            return _foreign(headers)
        if (refused := self.doors.refuse_webhook(extension, scope)) is not None:
            return refused
        if (app := self.webhooks.get(extension)) is None:
            return Reply(404)
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await app(scope, receive, watched)
        except Exception:
            if not has_begun:
                raise
            log.exception("%s broke off its answer. This is an error of linarite; please report it.", path)
        return None

    def _finishing(self, scope: Scope, send: Send) -> Send:
        """A `send` that adds what every answer has."""

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._finished(scope, list(message.get("headers", ())))
            await send(message)

        return finish

    def _finished(self, scope: Scope, headers: Headers) -> Headers:
        """Date, custom headers, CORS and HSTS, each unless the answer has it already."""
        standing = [(b"date", self._today()), *self._standing_headers]
        if self.cors.origins and (origin := _texts(scope).get("origin")) is not None:
            standing += self.cors.headers(origin)
        if scope["scheme"] == "https" and self.site.host.http.hsts.is_enabled:
            standing += self._hsts(scope)
        present = {name for name, _ in headers}
        return [(name, value) for name, value in standing if name not in present] + headers

    def _today(self) -> bytes:
        now = self.clock.now()
        if now >= self._date_until:
            self._date_until = now.replace(microsecond=0) + timedelta(seconds=1)
            self._date = format_datetime(now, usegmt=True).encode()
        return self._date

    def _hsts(self, scope: Scope) -> Headers:
        """Not for this machine's own names: browsers would remember it for whatever else listens here."""
        hsts = self.site.host.http.hsts
        name = host_name(_texts(scope).get("host", ""))
        if name.lower() in (*LOOPBACK, *(excluded.lower() for excluded in hsts.excluded_hosts)):
            return []
        value = f"max-age={hsts.max_age_s}" + "; includeSubDomains" * hsts.include_sub_domains + "; preload" * hsts.preload
        return [(b"strict-transport-security", value.encode())]


def _custom_headers(given: Mapping[str, str]) -> Headers:
    headers: Headers = []
    for name, value in given.items():
        try:
            headers.append(header(name, value))
        except UnusableResponse as unusable:
            log.error("host.json, extensions.http.customHeaders: left out, since %s.", str(unusable).removeprefix("its "))
    return headers


def _texts(scope: Scope) -> dict[str, str]:
    """Headers for decisions, not for functions."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _foreign(headers: Mapping[str, str]) -> Reply:
    log.warning(
        "A page of %s tried to reach a management endpoint at %s and was refused. Start with --cors to allow its origin.",
        headers.get("origin", "an unknown origin"),
        headers.get("host"),
    )
    return Reply(403)
