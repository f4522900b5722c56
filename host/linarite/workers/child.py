"""A worker in a process of its own, under the app's interpreter.

Waits here are for the operating system, in real time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import linarite_worker
from linarite.clock import SystemClock, within
from linarite.errors import OperatorError, WorkerDied
from linarite.invocation import Invocation, InvocationResult
from linarite.workers import wire
from linarite.workers.conversation import Conversation
from linarite.workers.function_json import declarations
from linarite.workers.interpreter_arguments import InterpreterArguments
from linarite.workers.process import Channel, Line, Process, start_process
from linarite.workers.protocol import IndexedApp, LoadFailure, LogLine, LogSink
from linarite_worker.console import level_of_stderr

_SCRIPT = Path(linarite_worker.__file__).parent / "__main__.py"
_EXIT_S = 1.0
"""How long a child whose line is closed may take to exit before it is killed."""
_OUTPUT_S = 0.2
"""How long the last output of a child that has exited is waited for; a process it left behind may hold the pipe for ever."""


class ChildWorker:
    """One child process. `environment` is all it gets; `arguments` go to the interpreter, before the script."""

    def __init__(
        self,
        python: Path,
        folder: Path,
        environment: Mapping[str, str],
        sink: LogSink,
        arguments: InterpreterArguments = InterpreterArguments(),  # noqa: B008  frozen
    ) -> None:
        self._python = python
        self._folder = folder
        self._environment = environment
        self._sink = sink
        self._arguments = arguments
        self._early: list[LogLine] = []
        self._abort_text = ""
        self._conversation: Conversation
        self._line: Line
        self._process: Process
        self._spawned: asyncio.Future[None]
        self._life: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        """Set when the process is gone and everyone who waited has been told."""

    @property
    def process_id(self) -> int:
        """The child's process id, once it is spawned."""
        return self._process.id

    @property
    def _is_spawned(self) -> bool:
        return self._life is not None and self._spawned.done() and self._spawned.exception() is None

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked to run something."""
        return self._is_spawned and self._process.exit_code is None and not self._line.closed.is_set()

    @property
    def exit_text(self) -> str:
        """How it ended, once it has."""
        return f"{self._python} {self._abort_text or self._process.exit_text()}."

    def runs(self, invocation_id: str) -> bool:
        """Whether it has not answered this invocation, even if nobody waits for it any more."""
        return self._conversation.runs(invocation_id)

    async def spawn(self, modules: Sequence[str] = ()) -> None:
        """Start the process and have it import the SDK, then `modules`, but not load the app. Raises OperatorError."""
        self._conversation = Conversation(self._send, self._sink)
        self._line = Line(self._conversation.received)
        self._spawned = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(), name="worker process")
        await asyncio.shield(self._spawned)
        if modules:
            self._send(wire.import_ahead(modules))

    async def start(self) -> IndexedApp:
        """See `WorkerChannel.start`."""
        if self._life is None:
            await self.spawn()
        await asyncio.shield(self._spawned)
        try:
            app = await self._conversation.load(declarations(self._folder, self._environment), self._arguments.debugger)
        except WorkerDied as error:
            if not self._conversation.is_ready:
                raise self._unfit() from None
            return IndexedApp(failure=LoadFailure(type_name="WorkerDied", message=f"{error} It was loading the app.", traceback=""))
        self._forward_output()
        return app

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """See `WorkerChannel.invoke`."""
        return await self._conversation.invoke(invocation)

    async def abort(self, invocation_id: str) -> None:
        """See `WorkerChannel.abort`. Whoever owns this worker starts another."""
        self._abort_text = "was ended, since an invocation ran for too long"
        self._process.kill()
        await self.ended.wait()

    async def stop(self, grace_s: float | None) -> None:
        """See `WorkerChannel.stop`; None waits for the end of what is in flight, however long it takes."""
        if self._life is None:
            return
        await asyncio.wait([self._spawned])
        if grace_s is None:
            await self._conversation.idle()
        elif grace_s > 0:
            with contextlib.suppress(TimeoutError):
                await within(SystemClock(), grace_s, self._conversation.idle())
        self._line.close()
        await asyncio.shield(self._life)

    def _send(self, frame: bytes) -> None:
        self._line.send(frame)

    def _console_line(self, descriptor: int, text: str) -> None:
        """Raw output. Before the interpreter is known to be fit it is kept: it may be the reason why it is not."""
        level = "Information" if descriptor == 1 else level_of_stderr(text)
        self._early.append(LogLine(invocation_id="", level=level, logger="", message=text, origin="console"))
        if self._conversation.is_ready:
            self._forward_output()

    def _forward_output(self) -> None:
        lines, self._early = self._early, []
        for line in lines:
            self._sink(line)

    async def _live(self) -> None:
        """The process from its start to its end. Nobody cancels this, so that no process is left behind."""
        if self._arguments.debugger is not None:
            try:
                await self._arguments.debugger.until_port_is_free()
            except OperatorError as error:
                self._spawned.set_exception(error)
                self.ended.set()
                return
        channel = Channel.open()
        command = (str(self._python), *self._arguments.words, str(_SCRIPT), str(self._folder), channel.argument)
        try:
            self._process = await start_process(command, self._folder, self._environment, channel, self._console_line)
        except OSError as error:
            text = f"{self._python} cannot be started: {error.strerror}. Choose the app's Python with --python."
            self._spawned.set_exception(OperatorError(text))
        else:
            await self._line.connect(channel, self._process.exited)
            self._spawned.set_result(None)
            await self._until_ended()
        self.ended.set()

    async def _until_ended(self) -> None:
        """Wait for the process or its line to end, then for the other, and tell those who wait."""
        process, line, conversation = self._process, self._line, self._conversation
        waits = [asyncio.ensure_future(event.wait()) for event in (process.exited, line.closed)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(waits, timeout=_EXIT_S)  # a process it left behind may hold the line; user code may refuse to exit
        process.kill()
        line.close()
        await asyncio.wait(waits)
        output = asyncio.ensure_future(process.output_ended.wait())
        await asyncio.wait([output], timeout=_OUTPUT_S)
        output.cancel()
        process.close()
        if conversation.is_ready:
            self._forward_output()
        conversation.ended(WorkerDied(self.exit_text))

    def _unfit(self) -> OperatorError:
        said = "\n".join(line.message for line in self._early).strip()
        match self._process.exit_code:
            case linarite_worker.TOO_OLD:
                return OperatorError(f"{self._python} is Python {said}; 3.10 or later is needed. Choose another with --python.")
            case linarite_worker.NO_SDK:
                return OperatorError(
                    f"{self._python} has no azure-functions ({said}). "
                    f"Run `{self._python} -m pip install -r requirements.txt` in {self._folder}, or choose another Python with --python."
                )
            case _ if "No module named debugpy" in said:
                return OperatorError(
                    f"{self._python} has no debugpy. Run `{self._python} -m pip install debugpy`, or debug the host with --in-process."
                )
            case _:
                return OperatorError(f"{self._python} {self._process.exit_text()} before it loaded anything. It said: {said or 'nothing'}")
