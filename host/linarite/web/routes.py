"""Which function answers a request: the routes of an app, in the order in which they are tried.

Routes are tried in the order of their functions' names and the first that matches wins; a literal is no better than a parameter, and a
method that is not served is a route that does not match. Pure; logging the table is functions.py's.
Source: azure-functions-host, WebScriptHostHttpRoutesManager, Utility.TryValidateHttpRoutes; functions-host sections 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from linarite.errors import AppError
from linarite.function_rules import name_order
from linarite.metadata import Function
from linarite.web.templates import Template, request_path

RESERVED = ("admin", "runtime")


class InvalidRoute(AppError):
    """A route that ASP.NET refuses to build. On Azure it stops the whole app, so it does here."""

    def __init__(self, function: Function, template: str, reason: str) -> None:
        where = f" ({function.source})" if function.source else ""
        remedy = (
            'Drop the leading slash, or set "extensions": {"http": {"routePrefix": ""}} in host.json.'
            if _route_text(function).startswith("/")
            else "Correct the route."
        )
        super().__init__(
            f"The route '{template}' of function '{function.name}'{where} is not valid: {reason}. {remedy} "
            "On Azure this one route makes the whole app answer 503."
        )


@dataclass(frozen=True, slots=True)
class Route:
    """One function's route. `methods` are upper case; None is any."""

    function: Function
    template: Template
    methods: tuple[str, ...] | None

    def allows(self, method: str) -> bool:
        return self.methods is None or method.upper() in self.methods

    def __str__(self) -> str:
        return (
            f"Mapped function route '{self.template.text}' [{','.join(self.methods) if self.methods else 'all'}] to '{self.function.name}'"
        )


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All routes, ready to be searched. `errors`: functions that have none because theirs conflicts, and the message, by name."""

    routes: tuple[Route, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    depth: int = 0
    """Index of the first segment after the prefix. Routes are grouped by their literal there."""
    grouped: Mapping[str, Sequence[Route]] = field(default_factory=dict)
    others: Sequence[Route] = ()
    """Routes with a parameter there, or nothing; they are in each group too."""

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The first route that takes a request, and its parameters. `path` is decoded."""
        split = request_path(path)
        candidates = self.others
        if len(split.lowered) > self.depth:
            candidates = self.grouped.get(split.lowered[self.depth], self.others)
        for route in candidates:
            if (values := route.template.match(split)) is not None and route.allows(method):
                return route, values
        return None

    def listing(self) -> str:
        """What the Functions host logs when it has mapped the routes."""
        if not self.routes:
            return "No HTTP routes mapped"
        return "\n".join(["Initializing function HTTP routes", *(str(route) for route in self.routes), ""])

    def warnings(self) -> list[str]:
        """A sentence for each literal route that can never be reached."""
        return [_shadow_warning(route, winner) for route, winner in self._shadowed()]

    def _shadowed(self) -> Iterable[tuple[Route, Route]]:
        for position, route in enumerate(self.routes):
            literals = [literal for literal in route.template.literals if literal is not None]
            if len(literals) != len(route.template.segments):
                continue
            path = request_path("/" + "/".join(literals))
            earlier = [other for other in self.routes[:position] if other.template.match(path) is not None]
            if (winner := _covering(route, earlier)) is not None:
                yield route, winner


def route_table(functions: Iterable[Function], prefix: str = "api") -> RouteTable:
    """Map the HTTP functions. Raises InvalidRoute if one cannot be built; a conflict only leaves out the later function."""
    routes: list[Route] = []
    errors: dict[str, str] = {}
    for function in sorted((f for f in functions if f.trigger_type == "httptrigger"), key=name_order):
        methods = _methods(function)
        if (error := _conflict(function, methods, routes)) is not None:
            errors[function.name] = error
        else:
            routes.append(Route(function, _template(function, prefix), methods))
    depth = len([part for part in prefix.split("/") if part])
    literals = [_literal_at(route.template, depth) for route in routes]
    grouped = {
        literal: [route for route, own in zip(routes, literals, strict=True) if own in (None, literal)]
        for literal in literals
        if literal is not None
    }
    others = [route for route, own in zip(routes, literals, strict=True) if own is None]
    return RouteTable(tuple(routes), errors, depth, grouped, others)


def full_route(function: Function, prefix: str) -> str:
    """The template under which a function is served, e.g. `api/products/{id}`."""
    route = _route_text(function)
    return f"{prefix}/{route}" if prefix else route.removeprefix("/")


def _route_text(function: Function) -> str:
    """A missing or blank route is the function's name, so `route=""` is not the prefix's root."""
    route = function.trigger.text("route")
    return route if route.strip() else function.name


def _template(function: Function, prefix: str) -> Template:
    text = full_route(function, prefix)
    try:
        return Template(text)
    except ValueError as error:
        raise InvalidRoute(function, text, str(error)) from None


def _methods(function: Function) -> tuple[str, ...] | None:
    given = function.trigger.get("methods")
    return tuple(str(method).upper() for method in given) if given else None


def _conflict(function: Function, methods: tuple[str, ...] | None, routes: Sequence[Route]) -> str | None:
    text = _route_text(function).strip("/").lower()
    if text.startswith(RESERVED):
        return "The specified route conflicts with one or more built in routes."
    for route in routes:
        if _route_text(route.function).strip("/").lower() == text and (
            methods is None or route.methods is None or not set(methods).isdisjoint(route.methods)
        ):
            return f"The route specified conflicts with the route defined by function '{route.function.name}'."
    return None


def _literal_at(template: Template, depth: int) -> str | None:
    return template.literals[depth] if depth < len(template.literals) else None


def _covering(route: Route, earlier: Sequence[Route]) -> Route | None:
    """The one of the earlier matches that answers for the last of a route's methods, if they answer for all of them."""
    for winner in earlier:
        if winner.methods is None:
            return winner
    covered = {method for other in earlier for method in other.methods or ()}
    return earlier[-1] if route.methods is not None and earlier and covered.issuperset(route.methods) else None


def _shadow_warning(route: Route, winner: Route) -> str:
    where = f" ({route.function.source})" if route.function.source else ""
    return (
        f"Function '{route.function.name}'{where} can never be called over HTTP: its route '{route.template.text}' also matches "
        f"'{winner.template.text}' of '{winner.function.name}', which is tried first because its name sorts first. Functions are tried in "
        "the order of their names, here as on Azure; rename one, or constrain the parameter, as in {id:int}."
    )
