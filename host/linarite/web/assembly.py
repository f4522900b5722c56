"""A site out of an app that was loaded: which functions are served, which have errors, what the outside is told.

Source: functions-host section 1.9 (which mistake stops what).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from linarite import function_rules
from linarite.bindings.trigger_types import DURABLE
from linarite.errors import AppError, OperatorError
from linarite.expressions import with_settings
from linarite.metadata import Function
from linarite.schedule import BadSchedule, parse_schedule
from linarite.settings import AppSettings, HostSettings, UnresolvedSetting
from linarite.web.routes import route_table
from linarite.web.site import Site
from linarite.workers.protocol import IndexedApp, LoadFailure

_startup = logging.getLogger("Host.Startup")
_routes = logging.getLogger("Microsoft.Azure.WebJobs.Script.WebHost.WebScriptHostHttpRoutesManager")
log = logging.getLogger(__name__)

_NO_FUNCTIONS = (
    "No job functions found. Try making your job classes and methods public. If you're using binding extensions (e.g. Azure Storage, "
    "ServiceBus, Timers, etc.) make sure you've called the registration method for the extension(s) in your startup code. "
    "In Python: decorate functions with @app.route(...) or another trigger, and register blueprints with app.register_functions(...)."
)

_RETRIED = frozenset({"timertrigger", "eventhubtrigger", "kafkatrigger", "cosmosdbtrigger", *DURABLE})
_SOON = (
    "Soon retries will not be supported for function 'Functions.{}'. For more information, please visit http://aka.ms/func-retry-policies."
)


def site_of(app: IndexedApp, host: HostSettings, settings: AppSettings, *, uses_storage: bool = False) -> Site:
    """The site of an app. Mistakes of the app's are in it: in its state and errors, or with the functions they belong to.

    `uses_storage`: whether queues and blobs are going to be listened to.
    """
    disabled = [function.name for function in app.functions if settings.disables(function.name)]
    found = {failure.function_name: (failure_text(failure),) for failure in app.function_failures}
    errors = [] if app.failure is None else [failure_text(app.failure)]
    try:
        checked = function_rules.check(app.functions, host.functions, disabled)
        functions, unresolved = _resolved(checked.functions, settings, uses_storage=uses_storage)
        runnable = [function for function in functions if function.name not in checked.errors and function.name not in unresolved]
        table = route_table(runnable, host.http.route_prefix)
    except AppError as error:
        return Site(state="Error", errors=[str(error)], functions=app.functions, function_errors=found, host=host, settings=settings)
    conflicts = {name: (error,) for name, error in table.errors.items()}
    places = {function.name: _place(function) for function in app.functions}
    return Site(
        errors=errors,
        functions=functions,
        function_errors={**found, **checked.errors, **unresolved, **conflicts},
        places=places | {failure.function_name: failure.file for failure in app.function_failures if failure.file},
        disabled=checked.disabled,
        routes=table,
        host=host,
        settings=settings,
    )


def _resolved(
    functions: Iterable[Function], settings: AppSettings, *, uses_storage: bool
) -> tuple[tuple[Function, ...], dict[str, tuple[str, ...]]]:
    """The functions with their `%SETTING%`s replaced; of those that name a setting, schedule, queue, ... that cannot be, the message."""
    resolved: list[Function] = []
    errors: dict[str, tuple[str, ...]] = {}
    for function in functions:
        indexing = f"Microsoft.Azure.WebJobs.Host: Error indexing method 'Functions.{function.name}'. "
        try:
            function = with_settings(function, settings)
            if function.trigger_type == "timertrigger":
                parse_schedule(function.trigger.text("schedule"))
            if uses_storage and function.trigger_type in ("queuetrigger", "blobtrigger"):
                from linarite.bindings.trigger_checks import check_trigger  # brings storage along, which few apps need

                check_trigger(function, settings)
        except UnresolvedSetting as error:
            errors[function.name] = (f"{indexing}Microsoft.Azure.WebJobs.Host: {error} Add it to the Values of local.settings.json.",)
        except BadSchedule as error:
            errors[function.name] = (f"{indexing}Microsoft.Azure.WebJobs.Extensions: {error}",)
        except AppError as error:
            errors[function.name] = (f"{indexing}{error}",)
        resolved.append(function)
    return tuple(resolved), errors


def broken_site(error: AppError | OperatorError, host: HostSettings, settings: AppSettings) -> Site:
    """The site of an app whose settings cannot be used."""
    return Site(state="Error", errors=[str(error)], host=host, settings=settings)


def announce(site: Site) -> None:
    """Log what a site serves and what is wrong with it, as the Functions host does when it has started."""
    if site.state == "Error":
        for error in site.errors:
            _startup.error("%s", error)
        return
    if not site.functions:
        _startup.info("0 functions loaded")
    if not site.functions and not site.errors:
        _startup.warning("%s", _NO_FUNCTIONS)
    _routes.info("%s", site.routes.listing())
    for warning in site.routes.warnings():
        log.warning("%s", warning)
    for error in site.errors:
        _startup.error("%s\nNone of the app's functions is loaded. On Azure every route would answer 404, with no visible error.", error)
    for name, errors in site.function_errors.items():
        for error in errors:
            _startup.error("The '%s' function is in error: %s", name, _placed(error, site.places.get(name, "")))
    for function in site.functions:
        if function.retry is not None and function.trigger_type not in _RETRIED:
            _startup.warning("%s", _SOON.format(function.name))
    for name in sorted(site.disabled, key=str.upper):
        _startup.info("Function 'Functions.%s' is disabled", name)


def _place(function: Function) -> str:
    """Where a function's bindings are written."""
    return str(function.source or "") if function.is_decorated else str(Path(function.directory, "function.json"))


def _placed(error: str, place: str) -> str:
    """The error with its place at the end of its first line, unless it has one."""
    first, line_end, rest = error.partition("\n")
    return error if not place or place in first else f"{first} ({place}){line_end}{rest}"


def failure_text(failure: LoadFailure) -> str:
    """Why an app, or a function of it, could not be loaded: place, error, line and caret, the app's own frames."""
    place = f"{failure.source}: " if failure.source else ""
    kind = f"{failure.type_name}: " if failure.type_name else ""
    lines = [f"{place}{kind}{failure.message}", *_excerpt(failure)]
    if failure.traceback:
        lines += ["Traceback (most recent call last):", failure.traceback.rstrip()]
    if failure.hint:
        lines.append(failure.hint)
    return "\n".join(lines)


def _excerpt(failure: LoadFailure) -> Sequence[str]:
    if not failure.text:
        return ()
    line = failure.text.replace("\t", " ")
    return (f"    {line}", f"    {' ' * (failure.caret - 1)}^") if failure.caret > 0 else (f"    {line}",)
