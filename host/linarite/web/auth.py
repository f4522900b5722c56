"""Who may call what, if keys are asked for (`--enable-auth`); if not, everybody may do everything, as with Core Tools.

Source: azure-functions-host, AuthenticationLevelHandler and FunctionAuthorizationHandler; functions-host section 3.4.
"""

from __future__ import annotations

from linarite.web.keys import Keys
from linarite.web.reply import Reply
from linarite.web.requests import Scope, read_query


def presented_key(scope: Scope) -> str | None:
    """The key a request carries: in the header `x-functions-key`, else as `code` in the query. The header wins, even if it is wrong."""
    for name, value in scope["headers"]:
        if name == b"x-functions-key":
            return str(value.decode("latin-1"))
    if b"code" not in scope["query_string"].lower():
        return None
    return next((values[-1] for name, values in read_query(scope["query_string"]).items() if name.lower() == "code"), None)


class Doors:
    """Lets callers in, or says with which answer they are refused."""

    def __init__(self, keys: Keys, *, are_locked: bool) -> None:
        self.keys = keys
        self.are_locked = are_locked

    def refuse_call(self, function: str, level: str, scope: Scope) -> Reply | None:
        """The refusal of a call of a function, if there is to be one."""
        if not self.are_locked or level == "anonymous":
            return None
        key = presented_key(scope)
        caller = self.keys.identify(key)
        if caller is not None and (caller.kind == "master" or (caller.kind == "host" and level == "function")):
            return None
        if level == "function" and self.keys.opens(function, key):
            return None
        return Reply(401)

    def refuse_admin(self, scope: Scope) -> Reply | None:
        """The refusal of a call of the admin API, which only the master key opens."""
        return self._refuse(scope, extension_key=None)

    def refuse_webhook(self, extension: str, scope: Scope) -> Reply | None:
        """The refusal of a call of an extension's web hook, opened by the extension's system key or the master key."""
        return self._refuse(scope, extension_key=f"{extension}_extension")

    def is_master(self, scope: Scope) -> bool:
        """Whether keys are asked for and this is the master key."""
        caller = self.keys.identify(presented_key(scope)) if self.are_locked else None
        return caller is not None and caller.kind == "master"

    def _refuse(self, scope: Scope, extension_key: str | None) -> Reply | None:
        if not self.are_locked:
            return None
        caller = self.keys.identify(presented_key(scope))
        if caller is None:
            return Reply(401, [(b"www-authenticate", b"Bearer")])
        if caller.kind == "master" or (caller.kind == "system" and caller.name.lower() == extension_key):
            return None
        return Reply(403)
