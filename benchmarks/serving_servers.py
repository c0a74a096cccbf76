"""Servers that run on one core while the load comes from the other: started, measured and ended."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import psutil

from benchmarks import load
from benchmarks.load import Ask
from benchmarks.report import say

SERVER_CORE, LOAD_CORE = 0, 1
STARTING_SECONDS = 300
ENDING_SECONDS = 40


@dataclass(frozen=True)
class Server:
    """A running server, its port, and what it is asked. slow: whether a tenth of the requests is enough."""

    name: str
    process: psutil.Process
    port: int
    asks: Sequence[Ask]
    slow: bool = False

    def cpu(self, count: int, connections: int) -> float:
        """CPU milliseconds per request of the server and all its processes."""
        before = self._seconds()
        load.run(self.port, self.asks, count, connections)
        return 1000 * (self._seconds() - before) / count

    def memory(self) -> float:
        """MiB that it and all its processes hold."""
        return sum(each.memory_info().rss for each in self._family()) / 2**20

    def _seconds(self) -> float:
        return sum(sum(each.cpu_times()[:2]) for each in self._family())

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@dataclass(frozen=True)
class Start:
    """How a server is started: its command, to which the port is added; ready: a path that answers 200 once it can;
    asks, slow: as `Server` has them."""

    name: str
    command: Sequence[str]
    ready: str
    asks: Sequence[Ask]
    slow: bool = False

    def run(self, stack: contextlib.ExitStack) -> Server:
        """Start it on a free port, and wait until it answers; the stack ends it. RuntimeError where it does not."""
        port = _free_port()
        say(f"start {self.name}")
        log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 the stack closes it
        process = subprocess.Popen(
            [*self.command, str(port)], stdout=log, stderr=log, preexec_fn=_pin, start_new_session=True
        )
        stack.callback(_stop, process)
        until = time.monotonic() + STARTING_SECONDS
        while not _answers(f"http://127.0.0.1:{port}{self.ready}"):
            if process.poll() is not None or time.monotonic() > until:
                log.seek(0)
                raise RuntimeError(f"{self.name} does not answer: {log.read()[-2000:]!r}")
            time.sleep(0.2)
        load.run(port, self.asks, 20, 2)
        return Server(self.name, psutil.Process(process.pid), port, self.asks, self.slow)


def _pin() -> None:
    os.sched_setaffinity(0, {SERVER_CORE})


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """It and all that it started; what does not end by itself is killed."""
    family = []
    with contextlib.suppress(psutil.NoSuchProcess):
        first = psutil.Process(process.pid)
        family = [first, *first.children(recursive=True)]
    for each in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.terminate()
    _, alive = psutil.wait_procs(family, ENDING_SECONDS)
    for each in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
