"""A light HTTP/1.1 client: requests over some connections, and how long each took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ask:
    """A request: path, body, a text that a right answer has in it, and how many lines that has, 0 for any."""

    path: str
    body: bytes = b""
    has: bytes = b""
    kind: str = "application/json"
    lines: int = 0

    @property
    def message(self) -> bytes:
        """As it goes over the wire."""
        head = f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {self.kind}\r\n"
        return f"{head}content-length: {len(self.body)}\r\n\r\n".encode() + self.body


def run(port: int, asks: Sequence[Ask], count: int, connections: int, per_second: float = 0.0) -> list[float]:
    """Seconds that each of `count` requests took, by so many connections; per_second: how many at most begin in a
    second, 0 for as many as can be. RuntimeError for an answer that is not right."""
    return asyncio.run(_run(port, asks, count, connections, per_second))


async def _run(port: int, asks: Sequence[Ask], count: int, connections: int, per_second: float) -> list[float]:
    waiting, took, begun = iter(range(count)), list[float](), time.perf_counter()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
        for i in waiting:
            if per_second:
                await asyncio.sleep(max(0.0, begun + i / per_second - time.perf_counter()))
            took.append(await _ask(reader, writer, asks[i % len(asks)]))
        writer.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    return took


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ask: Ask) -> float:
    begun = time.perf_counter()
    writer.write(ask.message)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"content-length: " in head:
        body = await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
    else:
        body = await _chunks(reader)
    right = head.startswith(b"http/1.1 200 ") and ask.has in body
    if not right or (ask.lines and (body.count(b"\n") != ask.lines or body.count(ask.has) != ask.lines)):
        raise RuntimeError(f"{ask.path}: {head[:80]!r} {body[:200]!r}")
    return time.perf_counter() - begun


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    found = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        found.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(found)
