"""Who moved between two gradings: per dimension, from which class to which, so that everybody is accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.texts import Texts

Counts = NDArray[np.int64]

JOINED, LEFT = "joined", "left"
"""Where a customer comes from who was not in the earlier base, and where one goes who is not in the later."""


@dataclass(frozen=True)
class Pairing:
    """The customers of two bases, n in either: their places in the earlier and in the later one, −1 for not in it."""

    then: NDArray[np.int64]
    now: NDArray[np.int64]

    @property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """In the earlier base, and in the later."""
        return self.then, self.now


@dataclass(frozen=True)
class Migration:
    """The customers of both bases by their classes, k of them.

    customers (k + 1, k + 1): a row per class before, the last for those who joined; a column per class after, the last
    for those who left. spend (2, k + 1, k + 1): what they spent, before and after, in minor units.
    """

    dimension: str
    classes: tuple[str, ...]
    customers: Counts
    spend: Counts

    @property
    def before(self) -> Counts:
        """Customers of each class before; (k,)."""
        return np.asarray(self.customers[:-1].sum(axis=1))

    @property
    def after(self) -> Counts:
        """Customers of each class after; (k,)."""
        return np.asarray(self.customers[:, :-1].sum(axis=0))

    @property
    def spend_before(self) -> Counts:
        """What those of each class before had spent; (k,), minor units."""
        return np.asarray(self.spend[0, :-1].sum(axis=1))

    @property
    def spend_after(self) -> Counts:
        """What those of each class after have spent; (k,), minor units."""
        return np.asarray(self.spend[1, :, :-1].sum(axis=0))

    @property
    def stayed(self) -> Counts:
        """Customers of each class before who are of it still; (k,)."""
        return np.diagonal(self.customers)[:-1]

    @property
    def gains(self) -> Counts:
        """Customers of each class after who were not of it before, those who joined included; (k,)."""
        return self.after - self.stayed

    @property
    def losses(self) -> Counts:
        """Customers of each class before who are not of it any more, those who left included; (k,)."""
        return self.before - self.stayed

    @property
    def joined(self) -> int:
        """Customers who were not in the base before."""
        return int(self.customers[-1].sum())

    @property
    def left(self) -> int:
        """Customers who are no longer in the base."""
        return int(self.customers[:, -1].sum())

    @property
    def moved(self) -> int:
        """Customers of both bases who are of another class than before."""
        return int(self.customers[:-1, :-1].sum() - self.stayed.sum())


def pair(before: pa.Array, after: pa.Array) -> Pairing:
    """Find each customer in both bases; those of the later one first, in its order. Ids are unique in each."""
    then = pc.fill_null(pc.index_in(after, before), -1).to_numpy().astype(np.int64)
    left = np.ones(len(before), bool)
    left[then[then >= 0]] = False
    gone = np.flatnonzero(left)
    return Pairing(
        np.concatenate([then, gone]), np.concatenate([np.arange(len(after)), np.full(len(gone), -1, np.int64)])
    )


def migrate(
    dimension: str,
    order: Sequence[str],
    classes: tuple[Texts, Texts],
    spend: tuple[NDArray[np.float64], NDArray[np.float64]],
    paired: Pairing,
) -> Migration:
    """Count who moved in a dimension. order: its classes; others that are found come after them.

    classes, spend: of all customers of the earlier and of the later base; a text for each, and minor units, where NaN
    counts as 0.
    """
    known = tuple(dict.fromkeys([*order, *(name for texts in classes for name in texts.names)]))
    size = len(known) + 1
    rows, columns = (_places(texts, known)[at] for texts, at in zip(classes, paired.places, strict=True))
    cells = rows * size + columns
    amounts = [np.append(np.nan_to_num(each), 0.0)[at] for each, at in zip(spend, paired.places, strict=True)]
    customers = np.bincount(cells, minlength=size * size).reshape(size, size)
    sums = [np.bincount(cells, each, size * size).reshape(size, size) for each in amounts]
    return Migration(dimension, known, customers.astype(np.int64), np.rint(sums).astype(np.int64))


def migrations(
    orders: Mapping[str, Sequence[str]],
    before: Mapping[str, Texts],
    after: Mapping[str, Texts],
    spend: tuple[NDArray[np.float64], NDArray[np.float64]],
    paired: Pairing,
) -> dict[str, Migration]:
    """`migrate` for each dimension of the later base; in one that the earlier base did not have, nobody had a class."""
    nothing = Texts(np.zeros(len(spend[0]), np.int32), ("",))
    return {
        name: migrate(name, order, (before.get(name, nothing), after[name]), spend, paired)
        for name, order in orders.items()
    }


def _places(texts: Texts, known: Sequence[str]) -> NDArray[np.int64]:
    """The place of each customer's class in `known`, and at the end, for who is not in the base, the one after all."""
    place = np.array([known.index(name) for name in texts.names] + [len(known)], np.int64)
    return np.append(place[texts.codes], len(known))
