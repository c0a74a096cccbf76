"""The lowest bit of a number, by the processor's own instruction: numba has it only among what is its own."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def _lowest(context: Any, word: Any) -> Any:
    """Where the lowest bit of an unsigned number is that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))
        return context.cast(builder, found, signature.args[0], types.uint64)

    return types.uint64(word), generate


lowest: Any = _lowest
"""Numba passes the first argument itself."""
