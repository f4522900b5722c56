"""Runs a host at the terminal: what is said at start, the listing, and how it ends.

Ctrl+C (or SIGTERM) waits for what runs, says for what, for up to ten seconds; a second one does not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import click

from linarite import __version__
from linarite.cli.console import ConsoleHandler, LevelFilter, install
from linarite.cli.levels import LEVELS, level_of
from linarite.cli.listing import listing
from linarite.host import Host
from linarite.options import HostOptions
from linarite.settings_files import USER_LEVEL, Configuration

log = logging.getLogger(__name__)

GRACE_S = 10.0
"""How long what is in flight may take when the host is told to stop."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(options: HostOptions, *, verbose: bool, as_json: bool) -> None:
    """Serve until told to stop. Raises LinariteError if that cannot begin."""
    _run(_Session(options, verbose=verbose, as_json=as_json).serve)
    if options.in_process:
        sys.stdout.flush()
        os._exit(0)  # as the end of a worker's process: whatever the app still runs, nothing else ends a thread


def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """`asyncio.run`, on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work())
        return
    loop = uvloop.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(work())
    finally:
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


class _Session:
    """One run of a host, from its first line to its last."""

    def __init__(self, options: HostOptions, *, verbose: bool, as_json: bool) -> None:
        self._options = options
        self._verbose = verbose
        self._as_json = as_json
        self._console = ConsoleHandler(as_json=as_json)
        self._levels = LevelFilter(verbose=verbose)
        self._told = asyncio.Event()
        self._told_twice = asyncio.Event()
        self._is_listed = False
        self._names: set[str] = set()

    async def serve(self) -> None:
        install(self._console, self._levels)
        self._console.attach(asyncio.get_running_loop())
        host = Host(self._options, on_site=self._shown, on_settings=self._configure)
        try:
            with self._signals():
                starting = asyncio.ensure_future(host.start())
                has_started = await self._unless_told(starting)
                gc.freeze()  # what is here now is for good, so that no collection need look through it
                gc.enable()
                if has_started:
                    self._list(host)
                    await self._told.wait()
                await self._end(host)
        finally:
            self._console.detach()

    async def _unless_told(self, starting: asyncio.Future[None]) -> bool:
        """Whether the host has started; a Ctrl+C meanwhile calls it off."""
        told = asyncio.ensure_future(self._told.wait())
        both: set[asyncio.Future[Any]] = {starting, told}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            return False
        starting.result()
        return True

    async def _end(self, host: Host) -> None:
        if running := host.in_flight:
            names = ", ".join(sorted({invocation.function.name for invocation in running}))
            self._say(f"Waiting up to {GRACE_S:g} s for {len(running)} in flight: {names}. Press Ctrl+C again to stop now.", "yellow")
        ending = asyncio.ensure_future(host.stop(GRACE_S))
        told_twice = asyncio.ensure_future(self._told_twice.wait())
        either: set[asyncio.Future[Any]] = {ending, told_twice}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        told_twice.cancel()
        if not ending.done():
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
            ending = asyncio.ensure_future(host.stop(0))
        if left := await ending:
            names = ", ".join(sorted({invocation.function.name for invocation in left}))
            self._say(f"Stopped without waiting for {names}.", "yellow")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def told() -> None:
            (self._told_twice if self._told.is_set() else self._told).set()

        if os.name == "posix":
            for number in _SIGNALS:
                loop.add_signal_handler(number, told)
        else:
            signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(told))
        try:
            yield
        finally:
            if os.name == "posix":
                for number in _SIGNALS:
                    loop.remove_signal_handler(number)

    # what is said

    def _configure(self, configuration: Configuration) -> None:
        """From now on log what the settings ask for."""
        name = self._options.user_log_level or configuration.app.get(USER_LEVEL, "")
        level = level_of(name)
        if name and level is None:
            log.warning("%s is %r, which is no level: %s. It is left alone.", USER_LEVEL, name, ", ".join(LEVELS))
        self._levels.configure(configuration.host.logging.levels, level)

    def _shown(self, host: Host) -> None:
        """A generation is served; after the first, say in what it differs from the one before."""
        before, self._names = self._names, {function.name for function in host.site.functions}
        if self._is_listed and not host.site.errors:
            self._say(_reloaded(before, self._names), None)

    def _list(self, host: Host) -> None:
        """The banner and the listing, once."""
        self._is_listed = True
        for line in [*_banner(host), *self._listing(host)]:
            self._say(line, "yellow" if line.endswith("is disabled.") else None)
        if not self._verbose:
            self._say("For detailed output, run linarite with --verbose flag.", None)
        self._say(f"Listening on {host.base_url}. Press Ctrl+C to stop.", None)

    def _listing(self, host: Host) -> list[str]:
        site = host.site
        served = site.functions if site.state == "Running" else ()
        loaded = [function for function in served if function.name not in site.function_errors]
        times = host.job.next_times if host.job is not None else {}
        prefix = site.host.http.route_prefix
        return listing(loaded, base_url=host.base_url, route_prefix=prefix, disabled=site.disabled, next_times=times)

    def _say(self, line: str, colour: str | None) -> None:
        """Print a line that is no log line; where all lines are JSON it is one like the others."""
        if not self._as_json:
            self._console.flush()
            click.secho(line, fg=colour)
        elif text := line.strip():
            level = logging.WARNING if colour == "yellow" else logging.INFO
            self._console.emit(logging.makeLogRecord({"name": log.name, "levelno": level, "msg": text}))


def _reloaded(before: set[str], now: set[str]) -> str:
    changes = (("new", now - before), ("gone", before - now))
    said = "; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in changes if names)
    return f"Reloaded: {len(now)} function{'' if len(now) == 1 else 's'} loaded{f' ({said})' if said else ''}."


def _banner(host: Host) -> list[str]:
    lines = ["", f"linarite {__version__} (Python {sys.version.split()[0]})"]
    if host.job is None:
        return lines
    app = host.job.app
    versions = ", ".join(f"{name} {version}" for name, version in sorted(app.sdk_versions.items()))
    if app.python_version:
        lines.append(f"App:     Python {app.python_version}{', ' + versions if versions else ''}")
    if host.job.equipment is not None:
        storage = host.job.equipment.storage
        where = f"embedded ({host.options.working_folder})" if storage.is_embedded else storage.kind
        lines.append(f"Storage: {where}: {storage.reason}")
    if host.options.enable_auth and (master := host.keys.show_once()):
        lines.append(f"Keys:    master {master} (shown once; kept in {host.options.keys_folder})")
    return lines
