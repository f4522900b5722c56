"""What a host shows to the outside: the port, and the web application behind it.

Imported while the worker is loading the app, so that neither waits for the other.
"""

from __future__ import annotations

import socket

from linarite.clock import Clock
from linarite.options import HostOptions
from linarite.settings import LocalHttpSettings
from linarite.web.app import Asgi, Web
from linarite.web.auth import Doors
from linarite.web.certificate import local_certificate
from linarite.web.cors import Cors
from linarite.web.keys import Keys
from linarite.web.server import WebServer
from linarite.web.site import HostView, Invoker, Site


class Front:
    """Serves one site after the other on one port."""

    def __init__(self, host: HostView, invoker: Invoker, keys: Keys, options: HostOptions, local: LocalHttpSettings, clock: Clock) -> None:
        cors = Cors(options.cors or local.cors, options.cors_credentials or local.cors_credentials)
        self.web = Web(host, invoker, Doors(keys, are_locked=options.enable_auth), clock, cors=cors)
        certificate = local_certificate(options.folder / ".linarite", clock.now()) if options.use_https else None
        self._server = WebServer(self.web, certificate=certificate)

    @property
    def site(self) -> Site:
        """What is served now."""
        return self.web.site

    def show(self, site: Site, webhooks: dict[str, Asgi]) -> None:
        """Serve this site from now on."""
        self.web.webhooks = webhooks
        self.web.show(site)

    def hold(self) -> None:
        """Let requests wait until `show`."""
        self.web.hold()

    async def start(self, bound: socket.socket) -> None:
        """Answer requests."""
        await self._server.start(bound)

    def refuse(self) -> None:
        """Take no more requests."""
        self._server.refuse()

    async def stop(self, grace_s: float) -> None:
        """Answer the requests that are there, for up to `grace_s` seconds."""
        await self._server.stop(grace_s)
