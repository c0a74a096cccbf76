"""The watch: asks in the background what is to be live, opens it aside, and puts it in the place of what is.

Whatever goes wrong, what is live stays live, and it is tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from features.errors import InputError
from serving.opening import Sign
from serving.service import Service

LONGEST_SECONDS = 60.0
"""Between two tries to open the same thing that fails."""

STOP_SECONDS = 30.0
"""The longest that the end of the service waits for a look."""


@dataclass(frozen=True)
class Trouble:
    """Why something newer is not live. since: the first of `times` tries."""

    what: str
    since: datetime
    times: int


class Watch:
    """Looks every `seconds`. look: what is to be live; open_: that, opened; adopt: makes it live; tell: is told of
    trouble, and of None when it is over; live: the sign of what is; trouble: that there is from the start."""

    def __init__(
        self,
        look: Callable[[], Sign],
        open_: Callable[[], Service],
        adopt: Callable[[Service], None],
        tell: Callable[[Trouble | None], None],
        seconds: float,
        live: Sign | None,
        trouble: Trouble | None = None,
    ) -> None:
        self.look, self.open, self.adopt, self.tell, self.seconds = look, open_, adopt, tell, seconds
        self.live = live
        self.trouble = trouble
        self._failed: Sign | None = None
        self._again = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        if self.trouble:
            self.tell(self.trouble)
        self._thread.start()

    def stop(self) -> None:
        """End, once what is being done is done; a registry that keeps one waiting is left alone."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def once(self) -> None:
        """Look once."""
        sign: Sign | None = None
        try:
            sign = self.look()
            if sign == self.live:
                self._over()
                return
            if sign == self._failed and time.monotonic() < self._again:
                return
            service = self.open()
        except InputError as error:
            self._note(f"{error.place}: {error.found}", sign)
        except Exception as error:  # noqa: BLE001 whatever it is, what is live must stay
            self._note(type(error).__name__, sign)
        else:
            self.adopt(service)
            self.live = sign
            self._over()

    def _run(self) -> None:
        while not self._stop.wait(self.seconds):
            self.once()

    def _note(self, what: str, sign: Sign | None) -> None:
        times = self.trouble.times if self.trouble else 0
        since = self.trouble.since if self.trouble else datetime.now(UTC)
        self.trouble = Trouble(what, since, times + 1)
        self._failed, self._again = sign, time.monotonic() + min(self.seconds * 2**times, LONGEST_SECONDS)
        self.tell(self.trouble)

    def _over(self) -> None:
        if self.trouble is not None:
            self.trouble, self._failed = None, None
            self.tell(None)
