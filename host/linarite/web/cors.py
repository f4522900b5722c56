"""Requests from web pages: which origins may read answers, and which may reach the management endpoints at all.

Source: Core Tools' CORS policy (any method, any header) and ASP.NET Core's CorsService; functions-host section 3.8. Ours: management
endpoints refuse pages of other origins, since whoever can reach them is an administrator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from linarite.web.reply import Headers, Reply


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
        """Whether a request comes from a page of another origin that is not listed. Programs other than browsers name none."""
        origin = headers.get("origin")
        if origin is None or self.allows(origin):
            return False
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
