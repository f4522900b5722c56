"""Requests from web pages: which origins may read answers, and which may reach the management endpoints at all.

Source: Core Tools' CORS policy (any method, any header) and ASP.NET Core's CorsService; functions-host section 3.8. Ours: management
endpoints refuse pages of other origins, since whoever can reach them is an administrator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from linarite.web.reply import Headers, Reply

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""This machine's own names."""


@dataclass(frozen=True, slots=True)
class Cors:
    """The policy. Without origins there is none: browsers then refuse what functions themselves do not allow."""

    origins: tuple[str, ...] = ()
    credentials: bool = False

    def allows(self, origin: str) -> bool:
        """Whether pages of an origin may read answers; origins are compared without a slash at the end."""
        return "*" in self.origins or any(origin.rstrip("/") == listed.rstrip("/") for listed in self.origins)

    def preflight(self, method: str, headers: Mapping[str, str]) -> Reply | None:
        """The answer to a preflight request; None if it is none, or nothing is set."""
        wanted = headers.get("access-control-request-method")
        if not self.origins or method != "OPTIONS" or "origin" not in headers or wanted is None:
            return None
        allowed = self.headers(headers["origin"])
        if allowed:
            allowed.append((b"access-control-allow-methods", wanted.encode()))
            if asked := headers.get("access-control-request-headers"):
                allowed.append((b"access-control-allow-headers", asked.encode()))
        return Reply(204, allowed)

    def headers(self, origin: str) -> Headers:
        """What an answer to a page of an origin carries."""
        if not self.allows(origin):
            return []
        if "*" in self.origins and not self.credentials:
            return [(b"access-control-allow-origin", b"*")]
        headers = [(b"access-control-allow-origin", origin.encode()), (b"vary", b"Origin")]
        return [*headers, (b"access-control-allow-credentials", b"true")] if self.credentials else headers

    def is_foreign(self, headers: Mapping[str, str]) -> bool:
        """Whether a browser sends a request for a page that is not our own, nor of an origin that is listed.

        A page may also have given its own name this machine's address (DNS rebinding), so the name in `Host` has to be one that nobody
        else can have. Programs other than browsers are not asked.
        """
        origin, host = headers.get("origin"), headers.get("host", "").lower()
        if origin is None and "sec-fetch-site" not in headers:
            return False
        if origin is not None and (self.allows(origin) or not _is_same(urlsplit(origin).netloc.lower(), host)):
            return not self.allows(origin)
        return not (_is_private(host) or "*" in self.origins or any(urlsplit(listed).netloc.lower() == host for listed in self.origins))


def _is_same(one: str, other: str) -> bool:
    """Whether two authorities are one; loopback has several names."""
    return one == other or (
        host_name(one) in LOOPBACK and host_name(other) in LOOPBACK and one.rpartition(":")[2] == other.rpartition(":")[2]
    )


def _is_private(host: str) -> bool:
    """Whether a name is an address, or one that no public name server gives out."""
    name = host_name(host).strip("[]")
    if "." not in name or name.endswith((".local", ".localhost", ".internal")):
        return True
    return name.replace(".", "").isdigit()


def host_name(authority: str) -> str:
    """The name of an authority, without its port."""
    bracketed, bracket, _ = authority.rpartition("]")
    return bracketed + bracket if bracket else authority.partition(":")[0]
