"""Clients who mean ill, all at once: they are given up, nobody else waits for them, and they leave nothing behind."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from serving.connection import HEADER_BYTES, HEADER_SECONDS
from serving.settings import load_serving
from tests.conftest import Ran
from tests.serving.test_service import start

HALF_OPEN = 3_000
SLACK_SECONDS = 20.0
MOST_GROWTH = 48 * 2**20
"""Bytes of memory that the process may keep of all that: allocators give back late what bodies took."""

WHOLE = b"POST /v1/score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
ENDINGS = {
    "nothing": b"",
    "half a line": b"POST /v1/sc",
    "no end of headers": WHOLE + b"x-a: b\r\n",
    "a blank line": b"\r\n",
}


@pytest.fixture(scope="module")
def client(sample: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    yield from start(sample, tmp_path_factory.mktemp("hostile") / "log")


def process_of(client: httpx.Client) -> psutil.Process:
    """The one that listens."""
    port = f"--port {client.base_url.port}"
    (found,) = (each for each in psutil.process_iter(["cmdline"]) if port in " ".join(each.info["cmdline"] or []))
    return found


def connect(client: httpx.Client, sent: bytes = b"") -> socket.socket:
    found = socket.create_connection((client.base_url.host, client.base_url.port or 80), 10)
    found.sendall(sent)
    return found


def until_closed(connection: socket.socket, seconds: float) -> bytes:
    """What it answers before it closes; TimeoutError where it does not."""
    said, end = b"", time.monotonic() + seconds
    with contextlib.suppress(ConnectionResetError):
        while True:
            connection.settimeout(max(0.01, end - time.monotonic()))
            part = connection.recv(65_536)
            if not part:
                break
            said += part
    connection.close()
    return said


def slowest(client: httpx.Client, requests: int = 50) -> float:
    """Seconds of the slowest of some ordinary requests, each answered."""
    found = []
    for _ in range(requests):
        begun = time.perf_counter()
        assert client.post("/v1/score/C10006").status_code == 200
        found.append(time.perf_counter() - begun)
    return max(found)


def test_a_byte_a_second_is_given_up(client: httpx.Client) -> None:
    """408 once a body has taken too long, and the connection closed; meanwhile others are answered at once."""
    begun, slow = time.monotonic(), [connect(client, WHOLE + b"content-length: 1000\r\n\r\n{") for _ in range(20)]
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(1):
            for each in slow:
                with contextlib.suppress(OSError):
                    each.sendall(b" ")

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        assert slowest(client) < 5
        said = [until_closed(each, load_serving().limits.body_seconds + SLACK_SECONDS) for each in slow]
    finally:
        stop.set()
        dripping.join()
    assert time.monotonic() - begun > load_serving().limits.body_seconds - 1
    assert all(each.startswith(b"HTTP/1.1 408 ") and b"connection: close" in each for each in said)


def test_half_open_connections_hold_nobody_out(client: httpx.Client) -> None:
    """Thousands that never say what they want: others are answered, and they are closed after a while."""
    wanted = HALF_OPEN + 1_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this process may open only {hard} files")  # a container may forbid more
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    process, begun = process_of(client), time.monotonic()
    endings = list(ENDINGS.values())
    held = [connect(client, endings[i % len(endings)]) for i in range(HALF_OPEN)]
    try:
        assert slowest(client) < 5
        for each in held[:: HALF_OPEN // 40]:
            until_closed(each, HEADER_SECONDS + SLACK_SECONDS)
        assert time.monotonic() - begun > HEADER_SECONDS - 1
    finally:
        for each in held:
            each.close()
    port = client.base_url.port
    until = time.monotonic() + SLACK_SECONDS
    while sum(each.laddr.port == port for each in process.net_connections() if each.status == "ESTABLISHED") > 10:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert slowest(client) < 5


def test_headers_without_end_are_refused(client: httpx.Client) -> None:
    """One that is too long, and too many."""
    for part in (b"x" * 1_000, b"y: z\r\n" * 200):
        connection = connect(client, WHOLE + b"x-long: ")
        with contextlib.suppress(OSError):
            for _ in range(10 * HEADER_BYTES // len(part)):
                connection.sendall(part)
        assert until_closed(connection, 10)[:13] in (b"HTTP/1.1 400 ", b"")  # reset while it was still sending
    assert slowest(client, 5) < 5


def test_an_ordinary_connection_is_kept(client: httpx.Client) -> None:
    """Many requests in one, large ones too, some of them at once."""
    connection = connect(client)
    body = b'{"customer_id": "x", "events": [], "attributes": {}}'
    large = body + b" " * (3 * HEADER_BYTES)
    for sent in (body, large, body):
        connection.sendall(WHOLE + b"content-length: %d\r\n\r\n" % len(sent) + sent)
        assert _answer(connection).startswith(b"HTTP/1.1 200 ")
    connection.sendall((WHOLE + b"content-length: %d\r\n\r\n" % len(body) + body) * 3)
    said = b""
    while said.count(b"HTTP/1.1 200 ") < 3:
        said += connection.recv(65_536)
    connection.close()


def _answer(connection: socket.socket) -> bytes:
    """One response whole."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += connection.recv(65_536)
    head, _, rest = said.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(rest) < length:
        rest += connection.recv(65_536)
    return said


def test_no_memory_stays(client: httpx.Client, tmp_path: Path) -> None:
    """Bodies of 100 MB, told and untold, many times; what is nested deeply, out of range, no UTF-8, said twice."""
    nasty = [
        b'{"customer_id": "x", "events": ' + b"[" * 500_000 + b"]" * 500_000 + b"}",
        b'{"customer_id": "x", "events": [{"ts": "2026-01-01", "kind": "visit", "quantity": 1e308}]}',
        b'{"customer_id": "x", "events": [{"ts": "2026-01-01", "kind": "visit", "quantity": NaN}]}',
        b'{"customer_id": "\xff\xfe", "events": []}',
        b'{"customer_id": "x", "customer_id": "y", "events": []}',
    ]

    def everything() -> None:
        for body in nasty:
            for _ in range(10):
                said = client.post("/v1/score", content=body)
                assert said.status_code in (400, 422), said.text
        for told in (b"content-length: 100000000\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n"):
            connection, part = connect(client, WHOLE + told), b" " * 1_000_000
            chunk = b"%x\r\n" % len(part) + part + b"\r\n" if b"chunked" in told else part
            with contextlib.suppress(OSError):
                for _ in range(100):
                    connection.sendall(chunk)
            assert until_closed(connection, 10)[:13] in (b"HTTP/1.1 413 ", b"")  # reset while it was still sending

    process = process_of(client)
    everything()
    before = process.memory_info().rss
    for _ in range(5):
        everything()
    assert process.memory_info().rss - before < MOST_GROWTH
    assert slowest(client, 5) < 5
