"""What explains the trees of a booster: at each node the share of the training rows that went left, and the rules of
integration (see share.py)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from training.trees.lanes import GROUP
from training.trees.parse import Places, Trees, joined, trees_of
from training.trees.ranks import Begins
from training.trees.text import Ints, Model, Tree, read_model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shares:
    """base (outputs,): the mean raw score that contributions are added to.

    widest: the most nodes of a tree; points (t,): of a tree's rule of integration.
    Per node: left_share, of the rows that came by, those that went left; cell, the contribution it adds to, output by
    output and in it input by input; above, the last node on the way to it that asks the same input, and turn, 1 where
    the way went left there, -1 where right (`widest` and 1 where none asks it); rule, where its numbers begin in u, z.
    """

    trees: Trees
    base: Array
    widest: int
    points: Begins
    left_share: Array
    cell: Places
    above: Places
    turn: Array
    rule: Places
    u: Array
    z: Array


def parse_shares(text: str) -> Shares | None:
    """What explains a model in LightGBM's text format; None for what `read_model` does not take, and where the numbers
    of training rows do not add up or a leaf has none: LightGBM's own answer has no meaning then."""
    model = read_model(text)
    return None if model is None else shares_of(model)


def shares_of(model: Model) -> Shares | None:
    """The same of a model that was read."""
    if not all(map(_adds_up, model.trees)):
        return None
    rules, widest = _Rules(), max((len(tree.left) for tree in model.trees), default=0)
    ways = [_Ways(tree) for tree in model.trees]
    for each in ways:
        rules.add(each)
    cells = [tree.inputs + output * model.inputs for output, tree in model.each]
    return Shares(
        trees_of(model),
        _base(model),
        widest,
        np.array([each.points for each in ways], np.uint64),
        joined([each.share for each in ways], np.float64),
        joined(cells, np.uint32),
        np.array([widest if above is None else above for each in ways for above in each.above], np.uint32),
        np.array([turn for each in ways for turn in each.turn], np.float64),
        np.array(rules.begins, np.uint32),
        joined(rules.u, np.float64),
        joined(rules.z, np.float64),
    )


def _adds_up(tree: Tree) -> bool:
    left, right = _rows(tree, tree.left), _rows(tree, tree.right)
    return bool((left + right == tree.counts).all() and (left > 0).all() and (right > 0).all())


def _rows(tree: Tree, children: Ints) -> Ints:
    """The training rows of children."""
    nodes, leaves = np.append(tree.counts, 0), tree.leaf_counts  # a constant tree has no node
    return np.where(children < 0, leaves[~np.minimum(children, -1)], nodes[np.maximum(children, 0)])


def _base(model: Model) -> Array:
    """Per output the sum of the trees' means over the training rows."""
    base = np.zeros(model.outputs)
    for output, tree in model.each:
        share = tree.leaf_counts / tree.counts[0] if len(tree.counts) else np.ones(1)
        base[output] += (share * tree.values).sum()
    return base


class _Ways:
    """The ways from the root of a tree to its nodes, input by input; see `Shares`. known: of the nodes below another of
    the same input, which share of the rows went on so far at all nodes of the input; points: an integrand is a
    polynomial of a degree below the number of inputs on a way."""

    def __init__(self, tree: Tree) -> None:
        self.share = _rows(tree, tree.left) / tree.counts
        self.above: list[int | None] = [None] * len(self.share)
        self.turn = [1] * len(self.share)
        self.known: dict[int, float] = {}
        ways: dict[int, dict[int, tuple[int, int, float]]] = {0: {}}
        longest = 0
        for node, (asked, left, right) in enumerate(zip(*map(list, (tree.inputs, tree.left, tree.right)), strict=True)):
            way, share = ways.pop(node), float(self.share[node])
            before = 1.0
            if asked in way:
                self.above[node], self.turn[node], before = way[asked]
                self.known[node] = before
            for child, turn, part in ((left, 1, share), (right, -1, 1 - share)):
                longer = {**way, asked: (node, turn, before * part)}
                longest = max(longest, len(longer))
                if child >= 0:
                    ways[child] = longer
        self.points = (longest + 1) // 2


class _Rules:
    """The Gauss–Legendre rules of all trees; those of nodes whose input was asked above are their own."""

    def __init__(self) -> None:
        self.u: list[Array] = []
        self.z: list[Array] = []
        self.begins: list[int] = []
        self._plain: dict[int, int] = {}
        self._size = 0

    def add(self, ways: _Ways) -> None:
        """The rules of a tree's nodes."""
        if ways.points not in self._plain:
            self._plain[ways.points] = self._added(ways.points, 1.0)
        for node in range(len(ways.share)):
            known = ways.known.get(node)
            self.begins.append(self._plain[ways.points] if known is None else self._added(ways.points, known))

    def _added(self, points: int, known: float) -> int:
        """Where u = q / F and z = w·known / F², F = q + (1 - q)·known, were put, at the points q of weights w."""
        begin, padding = self._size, np.zeros(-points % GROUP)
        q, w = _legendre(points)
        f = q + (1 - q) * known
        self.u += [q / f, padding]
        self.z += [w * known / f**2, padding]
        self._size += points + len(padding)
        return begin


@cache
def _legendre(points: int) -> tuple[Array, Array]:
    """Points and weights on [0, 1]."""
    if not points:
        return np.empty(0), np.empty(0)
    x, w = np.polynomial.legendre.leggauss(points)
    return (x + 1) / 2, w / 2
