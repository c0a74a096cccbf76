"""A connection of a client: HTTP as uvicorn speaks it, with an end to how long its headers may take and be.

Uvicorn itself waits for headers without end, so that a few thousand connections that say nothing would hold everybody
else out.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
"""From the opening of a connection, or the first byte of a further request, to the end of its headers."""

HEADER_BYTES = 65_536


class Connection(HttpToolsProtocol):
    """Closed where the headers of a request do not come to an end."""

    _late: asyncio.TimerHandle | None = None
    _begun = False
    _read = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came. What is neither headers, nor a body that somebody waits for, may not come without end."""
        super().data_received(data)
        if self._begun:
            self._read += len(data)
        if self._read > HEADER_BYTES:
            self._read = 0
            self.send_400_response("The headers are too long")
        elif self._begun or self.cycle is None or self.cycle.response_complete:
            self._wait()

    def on_message_begin(self) -> None:
        """Headers begin."""
        self._begun, self._read = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """They are there."""
        self._begun, self._read = False, 0
        self._came()
        super().on_headers_complete()

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEADER_SECONDS, self._close)

    def _came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        self._late = None
        self.transport.close()
