"""From what the worker found to what is served: which functions are loaded, which are in error, and in whose words.

Errors are per function, as in the Functions host; a few stop the whole app, there as here.
Source: azure-functions-host, HostFunctionMetadataProvider, FunctionMetadataManager and Utility; functions-host sections 1.5 and 1.9.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from linarite.errors import LinariteError
from linarite.expressions import with_settings
from linarite.metadata import Binding, Function
from linarite.settings_files import Configuration
from linarite.web.routes import InvalidRoute, name_order, route_table
from linarite.web.site import Site
from linarite.workers.protocol import IndexedApp, LoadFailure

log = logging.getLogger("Host.Startup")

_FUNCTION_NAME = re.compile(r"[a-z][a-z0-9_\-]{0,127}", re.IGNORECASE)
_BINDING_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]{0,127}|\$return")
_INDEXING = "Microsoft.Azure.WebJobs.Host: Error indexing method 'Functions.{}'. {}"

NO_FUNCTIONS = (
    "No job functions found. Try making your job classes and methods public. If you're using binding extensions (e.g. Azure Storage, "
    "ServiceBus, Timers, etc.) make sure you've called the registration method for the extension(s) in your startup code"
)


def site_of(app: IndexedApp, configuration: Configuration, chosen: Collection[str] = ()) -> Site:
    """The generation that a loaded app makes. `chosen`: the only functions wanted, over host.json's own list; empty for all.

    Logs nothing: `say` does.
    """
    host, settings = configuration.host, configuration.app
    if app.failure is not None:
        return Site(errors=[failure_text(app.failure)], host=host, settings=settings)
    wanted = _wanted(app.functions, chosen or host.functions)
    errors = {failure.function_name: [failure_text(failure)] for failure in app.function_failures}
    twins = _same_but_for_case(wanted)
    if twins:
        return Site(state="Error", errors=[_twin_error(twins)], functions=wanted, host=host, settings=settings)
    functions: list[Function] = []
    for function in wanted:
        try:
            if complaint := _objection(function):
                errors[function.name] = [complaint]
            functions.append(with_settings(function, settings))
        except LinariteError as error:
            errors[function.name] = [_INDEXING.format(function.name, error)]
            functions.append(function)
    try:
        routes = route_table([function for function in functions if function.name not in errors], host.http.route_prefix)
    except InvalidRoute as error:
        return Site(state="Error", errors=[str(error)], functions=functions, host=host, settings=settings)
    errors |= {name: [message] for name, message in routes.errors.items()}
    return Site(
        functions=functions,
        function_errors=errors,
        disabled=frozenset(function.name for function in functions if settings.disables(function.name)),
        routes=routes,
        host=host,
        settings=settings,
    )


def say(site: Site) -> None:
    """Log what a generation is, in the Functions host's words."""
    for error in site.errors:
        log.error("%s", error)
    if site.state == "Error":
        log.error("On Azure the whole app would answer 503. Saving a correction is enough.")
        return
    if site.errors:
        log.error("On Azure this app would have no functions: every route answers 404, with no visible error.")
    log.info("%d functions loaded", len(site.functions))
    if not site.functions and not site.errors:
        log.warning("%s", NO_FUNCTIONS)
    log.info("%s", site.routes.listing())
    for warning in site.routes.warnings():
        log.warning("%s", warning)
    for name, messages in site.function_errors.items():
        for message in messages:
            log.error("The '%s' function is in error: %s", name, message)
    for name in sorted(site.disabled):
        log.info("Function 'Functions.%s' is disabled", name)


def failure_text(failure: LoadFailure, folder: Path | None = None) -> str:
    """What went wrong, where, and the line with a caret below it; the app's own frames where there is no line."""
    head = f"{failure.type_name}: {failure.message}" if failure.type_name else failure.message
    if failure.source is None:
        return f"{head}\n{failure.traceback}".rstrip()
    lines = [f"{failure.source}: {head}"]
    if failure.text:
        lines.append(f"    {failure.text.rstrip()}")
        if failure.caret:
            lines.append(f"    {' ' * (failure.caret - 1)}^")
    return "\n".join(lines)


def _wanted(functions: Iterable[Function], names: Collection[str] | None) -> list[Function]:
    ordered = sorted(functions, key=name_order)
    if not names:
        return ordered
    lowered = {name.lower() for name in names}
    return [function for function in ordered if function.name.lower() in lowered]


def _objection(function: Function) -> str | None:
    """Why the Functions host would not load this function, or None."""
    if not _FUNCTION_NAME.fullmatch(function.name) or function.name.lower() == "host":
        return f"'{function.name}' is not a valid function name."
    return next((complaint for binding in function.bindings if (complaint := _binding_objection(binding))), None) or _duplicates(function.bindings)


def _binding_objection(binding: Binding) -> str | None:
    if not _BINDING_NAME.fullmatch(binding.name):
        return f"The binding name {binding.name} is invalid. Please assign a valid name to the binding."
    if binding.name == "$return" and binding.direction != "out":
        return "$return bindings must specify a direction of 'out'."
    return None


def _duplicates(bindings: Sequence[Binding]) -> str | None:
    counts = Counter(binding.name.lower() for binding in bindings)
    twice = next((binding.name for binding in bindings if counts[binding.name.lower()] > 1), None)
    return None if twice is None else f"Multiple bindings with name '{twice}' discovered. Binding names must be unique."


def _same_but_for_case(functions: Iterable[Function]) -> list[Function]:
    named: dict[str, list[Function]] = {}
    for function in functions:
        named.setdefault(function.name.lower(), []).append(function)
    return next((twins for twins in named.values() if len(twins) > 1), [])


def _twin_error(twins: Sequence[Function]) -> str:
    places = " and ".join(f"'{function.name}'" + (f" ({function.source})" if function.source else "") for function in twins)
    return f"The functions {places} differ only in case. Rename one: the Functions host refuses to start with both."
