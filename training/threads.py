"""One thread for the libraries, where several fits run side by side and sums must come out the same everywhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """Within it BLAS and OpenMP use one thread. Looking for the loaded libraries takes as long as a small fit: it is
    done once."""
    limiter: AbstractContextManager[object] = _controller().limit(limits=1)
    return limiter


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
