"""A PostgreSQL server for tests, on this machine only. `from tests.postgres import postgres_url` brings the fixture."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

PASSWORD = "a-word-that-no-message-may-show"
START_SECONDS = 60


class PostgresServer:
    """A server with its data in a folder, which can be killed and started again on the same port."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        self.shared: dict[str, Any] = {"stderr": subprocess.STDOUT, "cwd": folder, **_lower_rights(folder)}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://owner@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """An empty database, and its owner."""
        word = self.folder / "word"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        login = ["--username=owner", f"--pwfile={word}", "--auth-local=trust", "--auth-host=scram-sha-256"]
        make = [self.programs / "initdb", "-D", self.folder / "data", "--no-sync", "--encoding=UTF8", "--locale=C"]
        with (self.folder / "log").open("ab") as out:
            subprocess.run([*make, *login], check=True, timeout=START_SECONDS, stdout=out, **self.shared)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        until = time.monotonic() + START_SECONDS
        while True:
            if self._process is None or self._process.poll() is not None:  # one that was killed may not be gone yet
                self._process = self._run()
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError as error:
                if time.monotonic() < until:
                    time.sleep(0.1)
                    continue
                self.kill()
                raise OSError(f"{error}\n{(self.folder / 'log').read_text(errors='replace')[-1000:]}") from None
            return

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None

    def _run(self) -> subprocess.Popen[bytes]:
        here = ["-h", "127.0.0.1", "-p", str(self.port), "-k", self.folder, "-c", "fsync=off"]
        with (self.folder / "log").open("ab") as out:
            return subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", *here], stdout=out, **self.shared
            )


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of an empty database and its owner on a server of its own; the password is in PGPASSWORD.

    Without PostgreSQL the test is skipped by name; where it is installed and must work (REQUIRE_SHARED=1), it fails.
    """
    with _running() as server:
        yield server.url


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    """The same as a server that may be killed."""
    with _running() as server:
        yield server


@contextmanager
def _running() -> Iterator[PostgresServer]:
    found = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[::-1]), None)
    if found is None:
        # a Debian package that not every machine has
        pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql/*/bin")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    patch = pytest.MonkeyPatch()
    patch.setenv("PGPASSWORD", PASSWORD)
    server = PostgresServer(Path(found).resolve().parent, folder)
    try:
        try:
            server.make()
            server.start()
        except (OSError, subprocess.SubprocessError) as error:
            if os.environ.get("REQUIRE_SHARED") == "1":
                raise
            pytest.skip(f"PostgreSQL does not start here: {error}")  # a container may forbid what it needs
        yield server
    finally:
        server.stop()
        patch.undo()
        shutil.rmtree(folder, ignore_errors=True)


def _lower_rights(folder: Path) -> dict[str, Any]:
    """What makes a process run as somebody else than root, whom PostgreSQL refuses; `folder` becomes theirs."""
    if os.geteuid() != 0:
        return {}
    accounts = {account.pw_name: account for account in pwd.getpwall()}
    account = accounts.get("postgres") or accounts["nobody"]
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
