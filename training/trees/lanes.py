"""The two steps of explaining one row (see share.py) on GROUP points at once, as vectors of the processor: numba joins
so few numbers not by itself. Each does to every point, in the same order, what the plain loops for many rows do."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

GROUP = 4
"""So many points of a rule of integration are reckoned together; rules are padded to a multiple, with weight 0."""

POINTS = ir.VectorType(ir.DoubleType(), GROUP)


class _Vectors:
    """Reads and writes groups of an intrinsic's array arguments."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.builder = builder
        self.data = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else None
            for kind, value in zip(signature.args, args, strict=True)
        ]

    def at(self, array: int, place: Any) -> Any:
        """Where the group begins whose first number is the `place`-th of the `array`-th argument."""
        first = self.builder.gep(self.data[array], [place])
        return self.builder.bitcast(first, POINTS.as_pointer())

    def load(self, array: int, place: Any) -> Any:
        """A group."""
        return self.builder.load(self.at(array, place), align=8)

    def store(self, group: Any, array: int, place: Any) -> None:
        """Write a group."""
        self.builder.store(group, self.at(array, place), align=8)

    def spread(self, number: Any) -> Any:
        """A group of the same number."""
        nothing, lane = ir.Constant(POINTS, ir.Undefined), ir.IntType(32)
        one = self.builder.insert_element(nothing, number, ir.Constant(lane, 0))
        return self.builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(lane, GROUP), [0] * GROUP))


@intrinsic
def _down(context: Any, P: Any, i: Any, left: Any, right: Any, u: Any, at: Any, s: Any, c: Any) -> Any:
    """P[left] = P[i]·(s + u·c), P[right] = P[i] - P[left]: groups of P at i, left and right, of u at `at`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = _Vectors(context, builder, signature, args)
        _, i, left, right, _, at, s, c = args
        here = vectors.load(0, i)
        m = builder.fadd(vectors.spread(s), builder.fmul(vectors.load(4, at), vectors.spread(c)))
        part = builder.fmul(here, m)
        vectors.store(part, 0, left)
        vectors.store(builder.fsub(here, part), 0, right)
        return context.get_dummy_value()

    return types.void(P, types.uint64, types.uint64, types.uint64, u, types.uint64, s, c), generate


@intrinsic
def _up(
    context: Any,
    P: Any,
    R: Any,
    added: Any,
    u: Any,
    z: Any,
    i: Any,
    left: Any,
    right: Any,
    cell: Any,
    at: Any,
    s: Any,
    c: Any,
) -> Any:
    """D = R[left] - R[right], R[i] = R[right] + (s + u·c)·D, added[cell] += z·c·(P[i]·D): groups as in `down`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = _Vectors(context, builder, signature, args)
        i, left, right, cell, at, s, c = args[5:]
        c, on_right = vectors.spread(c), vectors.load(1, right)
        D = builder.fsub(vectors.load(1, left), on_right)
        m = builder.fadd(vectors.spread(s), builder.fmul(vectors.load(3, at), c))
        brings = builder.fmul(builder.fmul(vectors.load(4, at), c), builder.fmul(vectors.load(0, i), D))
        vectors.store(builder.fadd(on_right, builder.fmul(m, D)), 1, i)
        vectors.store(builder.fadd(vectors.load(2, cell), brings), 2, cell)
        return context.get_dummy_value()

    places = [types.uint64] * 5
    return types.void(P, R, added, u, z, *places, s, c), generate


down: Any = _down
up: Any = _up
"""Numba passes the first argument itself."""
