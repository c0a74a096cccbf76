"""Why a class changed: own facts, the model, or the scheme with its cut-offs, each with its exact share.

A raw class follows from three things: the customer's facts F, the models M that score them, and the scheme with the
cut-offs of its base C. Between two gradings each may have changed. With v(S) = 1 where the raw class is the new one
when just those in S are new, the share of each is its Shapley value (Shapley 1953): 1/3, 1/6, 1/6 and 1/3 times what it
adds to no other, to one, to the other one, and to both. The shares of a customer's change add up to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from classification.facts import Array, Facts
from classification.grade import BASES, Graded
from classification.rules import Classes
from classification.scheme import Scheme
from classification.sentence import change_sentences
from classification.stability import OVERRIDE, Earlier, Notes
from features.population import Ranks, population_features
from features.texts import Texts

MOVED, CAUGHT_UP, RELEASED = "moved", "caught up", "override ended"
"""Kinds of change beside those that `classification.stability` notes: the raw class moved and the class with it; the
class followed a raw class that had moved before; a person's word has run out."""

SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("dimension", pa.string()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("raw_before", pa.string()),
        ("raw_after", pa.string()),
        ("kind", pa.string()),
        ("share_facts", pa.float64()),
        ("share_model", pa.float64()),
        ("share_cutoff", pa.float64()),
        ("share_scheme", pa.float64()),
        ("reason", pa.string()),
    ]
)

MaskOf = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class View:
    """By what facts are judged: a scheme, and the cut-offs and ranks of a base."""

    scheme: Scheme
    cutoffs: Mapping[str, Mapping[str, float]]
    ranks: Mapping[str, Ranks]


@dataclass(frozen=True)
class Side:
    """What was known of customers on a date. features: name → (n,); texts: name → a text each; scores: of the old and
    of the new release, on these features: (old, new), the same twice where the release stayed."""

    features: Mapping[str, Array]
    texts: Mapping[str, Texts]
    scores: tuple[Mapping[str, Array], Mapping[str, Array]]

    def facts(self, model: int, view: View, which: NDArray[np.intp]) -> Facts:
        """What the view's scheme looks at, of some customers, as one of the releases (0 old, 1 new) answers."""
        wanted, known = view.scheme.facts | set(BASES), {**self.features, **self.scores[model]}
        own = {name: known[name][which] for name in sorted(wanted & known.keys())}
        texts = {name: each.rows(which) for name, each in self.texts.items()}
        return Facts(len(which), own | population_features(own, view.ranks), texts)


@dataclass(frozen=True)
class Comparison:
    """Two gradings of the same customers. ids (n,); sides, views: old and new; complete: whether both releases are at
    hand, without which nothing can be shared out."""

    ids: NDArray[np.object_]
    sides: tuple[Side, Side]
    views: tuple[View, View]
    decimals: int
    complete: bool = True

    @property
    def same_scheme(self) -> bool:
        """Whether both were graded by one scheme, so that only its cut-offs can have moved."""
        old, new = (view.scheme.model_dump_json() for view in self.views)  # in which the order of classes counts
        return old == new


def explain_changes(compared: Comparison, earlier: Earlier, graded: Graded) -> pa.Table:
    """A row per customer and dimension whose class or raw class is another than before; columns as in SCHEMA.

    earlier, graded: what both gradings said of `compared.ids`; customers new to the later one have no row. The shares
    are null where the raw class stayed: then the class changed by what `kind` says. share_cutoff has the share of C
    while the scheme stayed the same, share_scheme when it did not. They are null, too, where the old release is lost.
    """
    shared = [name for name in compared.views[1].scheme.dimensions if name in earlier.raw]
    raw = {n: (earlier.raw[n] != "") & (earlier.raw[n] != graded.raw[n]) for n in shared}
    changed = {n: raw[n] | ((earlier.classes[n] != "") & (earlier.classes[n] != graded.classes[n])) for n in shared}
    anyone = np.flatnonzero(np.logical_or.reduce([np.zeros(len(compared.ids), bool), *raw.values()]))
    shares = _shares(compared, {n: graded.raw[n] for n in shared}, anyone)
    place = np.full(len(compared.ids), -1)
    place[anyone] = np.arange(len(anyone))
    parts = [
        _rows(compared, name, np.flatnonzero(changed[name]), raw[name], shares[name], place, earlier, graded)
        for name in shared
    ]
    return pa.concat_tables([SCHEMA.empty_table(), *parts])


def _shares(compared: Comparison, new: Mapping[str, Classes], who: NDArray[np.intp]) -> dict[str, Array]:
    """dimension → (customers, 3): the shares of F, M and C in the change of each of `who`."""
    reached: dict[tuple[int, ...], MaskOf] = {}
    for switches in product((0, 1), repeat=3):
        side, model, view = switches
        seen = compared.sides[side].facts(model, compared.views[view], who)
        found = compared.views[view].scheme.classify(seen, compared.views[view].cutoffs)
        reached[switches] = {n: found[n] == new[n][who] if n in found else np.zeros(len(who), bool) for n in new}
    return {name: shapley({s: mask[name].astype(float) for s, mask in reached.items()}) for name in new}


def shapley(v: Mapping[tuple[int, ...], Array]) -> Array:
    """The Shapley values of three switches, shape (n, 3); v: which of them are on → (n,) worth.

    Where the old state has the worth already (the records of the earlier date were restated since), what is lacking to
    1 is put down to the first switch, the facts.
    """
    shares = np.zeros((len(v[0, 0, 0]), 3))
    for i in range(3):
        for others in product((0, 1), repeat=2):
            off = (*others[:i], 0, *others[i:])
            on = (*others[:i], 1, *others[i:])
            shares[:, i] += (1 / 6 if sum(others) == 1 else 1 / 3) * (v[on] - v[off])
    shares[:, 0] += 1 - shares.sum(axis=1)
    return shares


def _rows(
    compared: Comparison,
    name: str,
    who: NDArray[np.intp],
    raw_moved: NDArray[np.bool_],
    shares: Array,
    place: NDArray[np.int64],
    earlier: Earlier,
    graded: Graded,
) -> pa.Table:
    before, after = earlier.classes[name][who], graded.classes[name][who]
    raw_before, raw_after, moved = earlier.raw[name][who], graded.raw[name][who], raw_moved[who]
    shared = moved & compared.complete
    own = np.where(shared[:, None], shares[place[who]], np.nan) if len(shares) else np.full((len(who), 3), np.nan)
    last = own[:, 2], np.where(shared, 0.0, np.nan)
    cutoff, scheme = last if compared.same_scheme else last[::-1]
    lifted = earlier.notes[name][who] == OVERRIDE if name in earlier.notes else np.zeros(len(who), bool)
    kinds = _kinds(moved, lifted, graded.notes[name][who])
    columns = [
        pa.array(compared.ids[who], pa.string()),
        pa.array([name] * len(who), pa.string()),
        *(pa.array(each, pa.string()) for each in (before, after, raw_before, raw_after, kinds)),
        *(pa.array(each, pa.float64(), from_pandas=True) for each in (own[:, 0], own[:, 1], cutoff, scheme)),
        _reasons(compared, name, who),
    ]
    return pa.table(columns, schema=SCHEMA)


def _kinds(moved: NDArray[np.bool_], lifted: NDArray[np.bool_], notes: Notes) -> NDArray[np.str_]:
    kinds = np.where(lifted, RELEASED, np.where(moved, MOVED, CAUGHT_UP))
    return np.where(notes != "", notes, kinds)


def _reasons(compared: Comparison, name: str, who: NDArray[np.intp]) -> pa.Array:
    old, new = (compared.sides[i].facts(i, compared.views[i], who) for i in (0, 1))
    cutoffs = (compared.views[0].cutoffs.get(name, {}), compared.views[1].cutoffs.get(name, {}))
    return change_sentences(compared.views[1].scheme.dimensions[name], old, new, cutoffs, compared.decimals)
