"""`scoring serve`: the service over HTTP."""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from features.errors import InputError
from serving.options import HomeOption, HostOption, PlaybookOption, PortOption, SourceOption, err, out, workspace_of

if TYPE_CHECKING:
    import uvicorn

GRACE_SECONDS = 30
"""So long requests that have begun may take when the service is told to end."""

START_SECONDS = 30
"""So long a process may take until it first answers the one that watches it; it imports and compiles before."""

Keys = Literal["auto", "required", "off"]
KeysOption = Annotated[
    Keys,
    typer.Option("--keys", help="whether API keys are asked for; auto: unless only this machine can reach the service"),
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=64, help="processes that serve")]
WatchOption = Annotated[
    float | None,
    typer.Option("--watch", min=0.01, help="seconds between two looks at what is to be live, instead of the settings'"),
]
LogOption = Annotated[bool, typer.Option("--log/--no-log", help="a line of JSON a request, on the standard output")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    source: SourceOption = "sample",
    home: HomeOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    playbook: PlaybookOption = None,
    keys: KeysOption = "auto",
    workers: WorkersOption = 1,
    log: LogOption = False,
    watch: WatchOption = None,
) -> None:
    """Answer over HTTP with the champion and its last grading; turns to another one as soon as that is live."""
    from features.tables.sources import load_source
    from serving.keys import keys_path, read_keys
    from serving.settings import load_serving
    from serving.worker import Served, application

    there = workspace_of(load_source(source).name, home).home
    asked = keys == "required" or (keys == "auto" and not _loopback(host))
    served = Served(source, str(there), playbook, asked, log, watch or load_serving().watch_seconds)
    ready = application(served)  # what is missing is said here, once
    listener = _listen(host, port)
    if asked and not read_keys(keys_path(served.job.workspace)):
        err.print("No API key yet: all but /healthz and /readyz is refused. Make one: scoring key add", markup=False)
    out.print(f"{ready.description}\nService on http://{host}:{port}/docs", markup=False)
    served.tell()
    _run(_config("serving.worker:create" if workers > 1 else ready, workers), listener)


def _config(app: object, workers: int) -> uvicorn.Config:
    import uvicorn

    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        factory=workers > 1,
        workers=workers,
        access_log=False,  # its lines would carry customers' ids
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
    )


def _run(config: uvicorn.Config, listener: socket.socket) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from serving.meters import FOLDER

    if config.workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
        return
    with tempfile.TemporaryDirectory(prefix="meters-") as folder:
        os.environ.setdefault(FOLDER, folder)
        Multiprocess(config, [listener]).run()  # a process that dies is started again


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise InputError(f"{host}:{port}", error.strerror or str(error), "a free address", "Choose another.") from None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
