"""The worker: takes frames from the host, loads the app, runs its functions, sends frames back.

Knows no socket and no process: `child` and the host's in-process channel give it a loop to run on and a way to send.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import re
import sys
from collections.abc import Callable
from contextvars import Context
from dataclasses import replace
from functools import partial
from typing import Any

from linarite_worker import current, debugger, function_json, invocations, loader
from linarite_worker.console import Console, level_of_stderr
from linarite_worker.exchanges import Exchanges
from linarite_worker.failures import LoadError, load_failure
from linarite_worker.frames import Header, frame
from linarite_worker.invocations import Request
from linarite_worker.loader import LoadedFunction
from linarite_worker.logs import Forwarding
from linarite_worker.threads import Threads
from linarite_worker.yields import finding

_SDK_INFO = re.compile(r"azure[._]functions(?P<durable>[._]durable)?-(?P<version>[^-]+)\.dist-info")
DEFAULT_THREADS = 1000
"""As the Functions host sets PYTHON_THREADPOOL_THREAD_COUNT where an app does not; threads are made on demand."""

log = logging.getLogger(__name__)


class Worker:
    """One app, loaded once. `send` takes whole frames, from any thread; `end` ends the worker with an exit code.

    `is_shared`: the host runs in this process too, so its records and prints are left alone. `captures` False: so are the app's own.
    `app`: the app, if it is here already and need not be imported. `context`: what user code runs in; each invocation has a copy.
    """

    def __init__(
        self,
        folder: str,
        send: Callable[[bytes], None],
        end: Callable[[int], None],
        *,
        is_shared: bool = False,
        captures: bool = True,
        app: Any = None,
        context: Context | None = None,
    ) -> None:
        self._folder = folder
        self._send = send
        self._end = end
        self._is_shared = is_shared
        self._captures = captures
        self._app = app
        self._context = context or current.app_context()
        self._functions: dict[str, LoadedFunction] = {}
        self._exchanges: Exchanges | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._consoles: list[Console] = []
        self._logging: Forwarding | None = None
        self._loop: asyncio.AbstractEventLoop
        self._threads: Threads

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take over logging and the standard streams. `loop` becomes the app's loop."""
        self._loop = loop
        if self._captures:
            self._logging = Forwarding(self._send_line, is_shared=self._is_shared)
            self._capture_streams()
        self._threads = Threads(self._context.copy().run(self._thread_count))
        self._send(frame({"op": "ready"}))

    def _capture_streams(self) -> None:
        if self._consoles and sys.stdout is self._consoles[0]:
            return

        def print_line(invocation_id: str, line: str) -> None:
            self._send_line(invocation_id, "Information", "", line, "console")

        def complain(invocation_id: str, line: str) -> None:
            self._send_line(invocation_id, level_of_stderr(line), "", line, "console")

        out = Console(sys.stdout, print_line, is_shared=self._is_shared)
        err = Console(sys.stderr, complain, is_shared=self._is_shared)
        self._consoles = [out, err]
        sys.stdout, sys.stderr = out, err

    def restore(self) -> None:
        """Give logging and the standard streams back; for a host that goes on living in this process."""
        if self._logging is not None:
            self._logging.end()
            out, err = self._consoles
            if sys.stdout is out:
                sys.stdout = out.original
            if sys.stderr is err:
                sys.stderr = err.original
        self._threads.stop()

    async def shut_down(self) -> None:
        """Tell a web app of another framework that it ends, if it was told that it begins. Called on the app's loop."""
        if getattr(self._app, "startup_task_done", False):
            middleware = self._app.middleware
            await middleware.notify_shutdown()
            self._app.startup_task_done = False  # the app may be run again in this process, and then begins anew
            middleware.lifespan_receive_queue = middleware.lifespan_startup_event = middleware.lifespan_shutdown_event = None

    def load(self, header: Header) -> None:
        """Load what the host asks for and tell it what came of it. Runs in the running loop, as app code may expect."""
        self._send(self.loaded(header))

    def loaded(self, header: Header) -> bytes:
        """The frame that tells what came of loading: the functions that function.json files declare, or what the app's script decorates."""
        return self._context.copy().run(self._load, header)

    def _load(self, header: Header) -> bytes:
        if (debugger_ := header.get("debugger")) is not None:
            debugger.meet(debugger_["address"], debugger_["waits"], self._say)
        declared = header["functions"]
        found = self._index(header["script"]) if declared is None else self._load_declared(declared)
        return frame({"op": "indexed", "python_version": platform.python_version(), "sdk_versions": sdk_versions(), **found})

    def _index(self, script: str) -> Header:
        try:
            if self._app is None:
                self._app = loader.app_object(script)
            found = loader.load(self._app, self._folder, script, is_shared=self._is_shared)
            self._exchanges = Exchanges(found.web, self._send, self._threads) if found.web is not None else None
        except SystemExit as error:
            text = f"The app called sys.exit({error.code!r}) while it was being loaded."
            return {"failure": load_failure(error, self._folder) | {"message": text}}
        except Exception as error:
            return {"failure": load_failure(error, self._folder)}
        self._functions = {function.id: function for function in found.functions}
        return {"functions": [function.facts for function in found.functions]}

    def _load_declared(self, declared: list[Header]) -> Header:
        failures = []
        for one in declared:
            try:
                function = function_json.load(self._folder, one)
            except (Exception, SystemExit) as error:
                failures.append(load_failure(error, self._folder, one["name"]))
                function = function_json.broken(one, error)
            self._functions[function.id] = function
        return {"function_failures": failures}

    def replace(self, name: str, call: Callable[..., Any]) -> Callable[[], None]:
        """Have `call` called in the place of a function's code, with the same arguments; what is returned undoes it.

        Raises TypeError if it cannot be called so, KeyError if there is no such function.
        """
        before = next((function for function in self._functions.values() if function.name == name), None)
        if before is None:
            raise KeyError(name)
        after = self._functions[before.id] = loader.with_call(before, call)

        def undo() -> None:
            if self._functions[before.id] is after:
                self._functions[before.id] = before

        return undo

    def invoke(self, header: Header, body: bytes) -> None:
        """Start an invocation; its frame is sent when it ends. Any thread may call this."""
        if self._is_shared and self._captures:
            self._capture_streams()  # a test runner puts its own streams back between the phases of a test
        if (function := self._functions.get(header["function_id"])) is None:
            text = f"The app has no function {header['function_name']} any more; it was loaded anew meanwhile."
            self._send(invocations.failure(header["id"], LoadError(text, type_name="FunctionNotLoaded")))
            return
        if "seeks_task" in header:
            function = replace(function, call=finding(function.call, header["seeks_task"]))
        request = Request(header, body, function)
        context = current.context_of(request.id, self._context)
        if function.is_async or function.signature.streamed:
            self._loop.call_soon_threadsafe(self._start_task, request, context=context)
            return
        try:
            self._threads.submit(partial(context.run, self._run, request))
        except RuntimeError as error:  # no more threads
            self._send(invocations.failure(request.id, error))

    def exchange(self, header: Header, body: bytes) -> None:
        """The host's part of an HTTP request that is read and answered piece by piece. Any thread may call this."""
        if self._exchanges is not None:
            self._exchanges.received(header, body)

    def _run(self, request: Request) -> None:
        current.thread_local.invocation_id = request.id
        try:
            self._finish(request, invocations.run(request))
        except BaseException as error:
            self._give_up(error)
        finally:
            current.thread_local.invocation_id = None

    def _start_task(self, request: Request) -> None:
        task = self._loop.create_task(self._run_async(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_async(self, request: Request) -> None:
        try:
            if self._exchanges is not None and request.function.signature.streamed:
                self._finish(request, await self._exchanges.run(request))
            else:
                self._finish(request, await invocations.run_async(request))
        except asyncio.CancelledError as error:
            self._finish(request, invocations.failure(request.id, error))
        except BaseException as error:
            self._give_up(error)

    def _finish(self, request: Request, answer: bytes) -> None:
        for console in self._consoles:
            console.finish(request.id)
        self._send(answer)

    def _give_up(self, error: BaseException) -> None:
        """User code asked for the end of the process, or broke what `Exception` does not cover."""
        if not isinstance(error, SystemExit):
            log.critical("The worker ends: %s: %s", type(error).__name__, error, exc_info=error)
            self._end(1)
        elif error.code is None or isinstance(error.code, int):
            self._end(error.code or 0)
        else:
            log.critical("%s", error.code)
            self._end(1)

    def _say(self, text: str) -> None:
        self._send_line("", "Information", "", text, "system")

    def _send_line(self, invocation_id: str, level: str, logger: str, message: str, origin: str) -> None:
        text = message.encode(errors="backslashreplace").decode()
        header = {"op": "log", "invocation_id": invocation_id, "level": level, "logger": logger, "message": text, "origin": origin}
        self._send(frame(header))

    def _thread_count(self) -> int:
        text = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "").strip()
        try:
            return max(int(text), 1) if text else DEFAULT_THREADS
        except ValueError:
            log.warning("PYTHON_THREADPOOL_THREAD_COUNT is %r, not a number; %d threads are used", text, DEFAULT_THREADS)
            return DEFAULT_THREADS


def sdk_versions() -> dict[str, str]:
    """Installed versions of the SDKs, by package name; importlib.metadata would take longer to import than all else here."""
    found: dict[str, str] = {}
    for folder in filter(os.path.isdir, reversed(sys.path)):
        for entry in os.listdir(folder):
            if match := _SDK_INFO.fullmatch(entry):
                found["azure-functions-durable" if match["durable"] else "azure-functions"] = match["version"]
    return found
