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
from pathlib import Path
from typing import Any

import psycopg
import pytest

PASSWORD = "a-word-that-no-message-may-show"
START_SECONDS = 60


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of an empty database and its owner on a server of its own; the password is in PGPASSWORD.

    Without PostgreSQL the test is skipped by name; where it is installed and must work (REQUIRE_SHARED=1), it fails.
    """
    found = shutil.which("initdb") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[::-1]), None)
    if found is None:
        # a Debian package that not every machine has
        pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql/*/bin")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    patch = pytest.MonkeyPatch()
    patch.setenv("PGPASSWORD", PASSWORD)
    server = None
    try:
        server, url = _start(Path(found).resolve().parent, folder)
        yield url
    except (OSError, subprocess.SubprocessError) as error:
        if os.environ.get("REQUIRE_SHARED") == "1":
            raise
        pytest.skip(f"PostgreSQL does not start here: {error}")  # a container may forbid what it needs
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)
            server.wait(START_SECONDS)
        patch.undo()
        shutil.rmtree(folder, ignore_errors=True)


def _start(programs: Path, folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A server with its data in `folder`, and the URL of its database."""
    rights = _lower_rights(folder)
    word = folder / "word"
    word.write_text(PASSWORD)
    word.chmod(0o644)
    data, log = folder / "data", folder / "log"
    login = ["--username=owner", f"--pwfile={word}", "--auth-local=trust", "--auth-host=scram-sha-256"]
    with log.open("wb") as out:
        shared: dict[str, Any] = {"stdout": out, "stderr": subprocess.STDOUT, "cwd": folder, **rights}
        make = [programs / "initdb", "-D", data, "--no-sync", "--encoding=UTF8", "--locale=C", *login]
        subprocess.run(make, check=True, timeout=START_SECONDS, **shared)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        run = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-c", "fsync=off"]
        server = subprocess.Popen(run, **shared)
    url = f"postgresql://owner@127.0.0.1:{port}/postgres"
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError as error:
            if server.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
                continue
            server.kill()
            raise OSError(f"{error}\n{log.read_text(errors='replace')[-1000:]}") from None
        return server, url


def _lower_rights(folder: Path) -> dict[str, Any]:
    """What makes a process run as somebody else than root, whom PostgreSQL refuses; `folder` becomes theirs."""
    if os.geteuid() != 0:
        return {}
    accounts = {account.pw_name: account for account in pwd.getpwall()}
    account = accounts.get("postgres") or accounts["nobody"]
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
