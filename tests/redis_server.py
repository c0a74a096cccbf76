"""A Redis server for tests, on this machine only. `from tests.redis_server import redis_server` brings the fixture."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import redis

PROGRAM = "redis-server"
PASSWORD = "a-word-that-no-message-may-show"
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
START_SECONDS = 20


class RedisServer:
    """A server on a socket of its own, with its data in a folder, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "socket"
        self.address = f"unix://:{PASSWORD}@{self.socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, options: Sequence[str] = DURABLE) -> None:
        """Start it, and wait until it answers."""
        said = ["--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--requirepass", PASSWORD]
        with (self.folder / "log").open("ab") as log:
            command = [PROGRAM, *said, "--save", "", *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                with self.client() as client:
                    client.ping()
            except redis.RedisError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise OSError((self.folder / "log").read_text()[-1000:]) from None
                time.sleep(0.02)
                continue
            return

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> redis.Redis:
        """Another one who asks it."""
        return redis.Redis.from_url(self.address)

    def everything(self) -> bytes:
        """All keys and what they hold."""
        said = []
        with self.client() as client:
            for key in client.scan_iter():
                kind, content = client.type(key), b""
                if kind == b"hash":
                    content = b"".join(part for pair in client.hgetall(key).items() for part in pair)
                elif kind == b"zset":
                    content = b"".join(client.zrange(key, 0, -1))
                elif kind == b"set":
                    content = b"".join(client.smembers(key))
                else:
                    content = client.get(key) or b""
                said.append(key + content)
        return b"\n".join(said)


@pytest.fixture(scope="session")
def redis_running() -> Iterator[RedisServer]:
    """One server for all tests.

    Without Redis the test is skipped by name; where it is installed and must work (REQUIRE_SHARED=1), it fails.
    """
    if shutil.which(PROGRAM) is None:
        if os.environ.get("REQUIRE_SHARED") == "1":
            pytest.fail(f"{PROGRAM} is not installed")
        pytest.skip(f"{PROGRAM} is not installed")  # a Debian package that not every machine has
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_server(redis_running: RedisServer) -> RedisServer:
    """The same, empty, and running."""
    with redis_running.client() as client:
        client.flushall()
    return redis_running
