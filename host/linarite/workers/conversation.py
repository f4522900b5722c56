"""What is said between host and worker, whatever carries it: who waits for which answer, and who hears the log lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from linarite.errors import UserCodeFailed, WorkerDied
from linarite.invocation import Invocation, InvocationResult
from linarite.workers import wire
from linarite.workers.exchange import Exchange
from linarite.workers.function_json import Declarations
from linarite.workers.indexing import indexed_app
from linarite.workers.interpreter_arguments import Debugger
from linarite.workers.protocol import IndexedApp, LogSink


class Conversation:
    """One worker's invocations in flight. `send` takes whole frames. Belongs to the host's loop."""

    def __init__(self, send: Callable[[bytes], None], sink: LogSink) -> None:
        self._send = send
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._indexed: asyncio.Future[IndexedApp] = self._loop.create_future()
        self._in_flight: dict[str, asyncio.Future[InvocationResult]] = {}
        self._exchanges: dict[str, Exchange] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._end: WorkerDied | None = None
        self.is_ready = False
        self._declared = Declarations("", ())

    def runs(self, invocation_id: str) -> bool:
        """Whether the worker has not answered this invocation, even if nobody waits for it any more."""
        return invocation_id in self._in_flight

    async def load(self, declared: Declarations, debugger: Debugger | None = None) -> IndexedApp:
        """Have the app loaded. Raises WorkerDied if the worker ends over it."""
        self._declared = declared
        self._send(wire.load(declared.script, declared.functions, debugger))
        return await asyncio.shield(self._indexed)

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Have a function run. See `WorkerChannel.invoke`."""
        if self._end is not None:
            raise WorkerDied(*self._end.args)
        waiting: asyncio.Future[InvocationResult] = self._loop.create_future()
        self._in_flight[invocation.id] = waiting
        self._idle.clear()
        stream = next((datum.value for datum in invocation.inputs.values() if datum.kind == "http_stream"), None)
        if stream is None:
            self._send(wire.invoke(invocation))
            return await waiting
        exchange = self._exchanges[invocation.id] = Exchange(stream, self._send)
        try:
            self._send(wire.invoke(invocation))
            return await waiting
        finally:
            del self._exchanges[invocation.id]
            await exchange.close()

    def received(self, message: wire.Message, body: bytes) -> None:
        """A frame has come in."""
        match message:
            case wire.Line():
                self._sink(message)
            case wire.Result():
                self._answer(message.id, wire.result(message, body))
            case wire.Failed():
                self._answer(message.id, UserCodeFailed(message.type_name, message.message, message.stack))
            case wire.Asgi():
                exchange = self._exchanges.get(message.id)
                if exchange is not None:
                    exchange.take(message, body)
                else:
                    self._send(wire.asgi(message, type="disconnect"))
            case wire.Ready():
                self.is_ready = True
            case wire.Indexed():
                if not self._indexed.done():
                    self._indexed.set_result(indexed_app(message, self._declared))

    def _answer(self, invocation_id: str, answer: InvocationResult | Exception) -> None:
        waiting = self._in_flight.pop(invocation_id, None)
        if not self._in_flight:
            self._idle.set()
        if waiting is None or waiting.done():
            return
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)

    def ended(self, reason: WorkerDied) -> None:
        """The worker is gone: everyone who waits is told so, as is whoever comes later."""
        if self._end is None:
            self._end = reason
        self.fail_all(self._end)
        if not self._indexed.done():
            self._indexed.set_exception(WorkerDied(*self._end.args))
            self._indexed.exception()  # nobody need have asked

    def fail_all(self, reason: WorkerDied) -> None:
        """Tell everyone who waits for an invocation."""
        for invocation_id in list(self._in_flight):
            self._answer(invocation_id, WorkerDied(*reason.args))

    async def idle(self) -> None:
        """Return once the worker has answered everything."""
        await self._idle.wait()
