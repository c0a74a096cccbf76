"""Changes of class in plain words: the facts that a dimension looks at, as they were and as they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classification.facts import Array, Facts
from classification.scheme import Dimension
from training.explain import said_of, short_doc

Cutoffs = Mapping[str, float]

MOST_FACTS = 3
"""Facts told of one change."""


def change_sentences(
    dimension: Dimension, old: Facts, new: Facts, cutoffs: tuple[Cutoffs, Cutoffs], decimals: int
) -> pa.Array:
    """Why customers are in another class: their old and new facts, and the old and new cut-offs, side by side.

    As in `Net spend of the last 365 days: 310.00, was 1,204.00; A begins at 905.00, was 880.00`. decimals: of the
    currency. Facts that did not change are left out, unless none did.
    """
    if dimension.given is not None and dimension.given.fact is None:
        key = dimension.given.attribute or dimension.given.trait or ""
        return _beside(dimension.title, _words(new, key), _words(old, key), np.ones(new.size, bool))
    names = sorted(name for name in dimension.rule.facts if name in old.numbers and name in new.numbers)
    moved = np.array([_other(old.numbers[n], new.numbers[n]) for n in names]).reshape(len(names), new.size)
    told = moved | ~moved.any(axis=0)
    told &= np.cumsum(told, axis=0) <= MOST_FACTS
    parts = [
        _beside(short_doc(n), said_of(n, new.numbers[n], decimals), said_of(n, old.numbers[n], decimals), told[k])
        for k, n in enumerate(names)
    ]
    parts += [pa.array([text] * new.size, pa.string()) for text in _bounds(dimension, cutoffs, decimals)]
    return pc.binary_join_element_wise(*parts, "; ", null_handling="skip")


def _beside(label: str, now: pa.Array, before: pa.Array, told: NDArray[np.bool_]) -> pa.Array:
    """`label: now, was before`, once where both are the same; null where it is not told."""
    both = pc.binary_join_element_wise(now, before, ", was ")
    said = pc.binary_join_element_wise(label, pc.if_else(pc.equal(now, before), now, both), ": ")
    return pc.if_else(pa.array(told), said, pa.scalar(None, pa.string()))


def _bounds(dimension: Dimension, cutoffs: tuple[Cutoffs, Cutoffs], decimals: int) -> list[str]:
    """The cut-offs that moved."""
    share = dimension.share
    if share is None:
        return []
    verb = "ends" if share.first == "lowest" else "begins"
    found = []
    for class_, cut in cutoffs[1].items():
        now, before = said_of(share.fact, np.array([cut, cutoffs[0].get(class_, cut)]), decimals).to_pylist()
        if now != before:
            found.append(f"{class_} {verb} at {now}, was {before}")
    return found


def _words(facts: Facts, key: str) -> pa.Array:
    known = facts.texts.get(key)
    empty = pa.nulls(facts.size, pa.string())
    return pc.fill_null(empty if known is None else known.to_arrow(), "not known")


def _other(a: Array, b: Array) -> NDArray[np.bool_]:
    return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))
