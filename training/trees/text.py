"""A model in LightGBM's text format → its trees, each as it stands there.

Nodes are numbered from the root, parents before their children; a child of -1 - i, written ~i, is the i-th leaf.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """Per node: the input it asks, its `decision_type`, its threshold (of a category: the number of its set), its
    children (left where the test holds), and how many rows of the training came by. Per leaf: its value, shrinkage
    included, and its rows. ends (sets + 1,), words: where the sets of categories begin and end, and their bits.
    """

    inputs: Ints
    decisions: Ints
    thresholds: NDArray[np.float64]
    left: Ints
    right: Ints
    counts: Ints
    values: NDArray[np.float64]
    leaf_counts: Ints
    ends: Ints
    words: NDArray[np.uint32]


@dataclass(frozen=True)
class Model:
    """Trees; those of an output together, in the order in which they are added. inputs: how many a row has; begins
    (outputs + 1,): where the trees of each output begin."""

    trees: tuple[Tree, ...]
    inputs: int
    begins: tuple[int, ...]

    @property
    def outputs(self) -> int:
        """How many sums there are."""
        return len(self.begins) - 1

    @property
    def each(self) -> Iterator[tuple[int, Tree]]:
        """The trees, each after the number of its output."""
        for output, (begin, end) in enumerate(pairwise(self.begins)):
            yield from ((output, tree) for tree in self.trees[begin:end])


def read_model(text: str) -> Model | None:
    """The trees of a model; None for linear trees, for outputs that are averaged (random forests), and for nodes in an
    order that LightGBM does not write."""
    head, *blocks = re.split(r"\n\s*Tree=\d+\n", text.partition("\nend of trees")[0])
    said, told = _pairs(head), [_pairs(block) for block in blocks]
    if "average_output" in said or any(tree.get("is_linear", "0") != "0" for tree in told):
        return None
    trees = tuple(map(_tree, told))
    if not all(map(_parents_first, trees)):
        return None
    outputs = int(said.get("num_tree_per_iteration", "1"))
    parts = [trees[output::outputs] for output in range(outputs)]  # a round has a tree for each
    begins = accumulate(map(len, parts), initial=0)
    return Model(tuple(chain(*parts)), int(said["max_feature_idx"]) + 1, tuple(begins))


def together(models: Sequence[Model], places: Sequence[Ints], inputs: int) -> Model:
    """Several models as one, whose outputs are theirs in turn; places: of each model's inputs in its rows."""
    parts = zip(models, places, strict=True)
    trees = tuple(replace(tree, inputs=mine[tree.inputs]) for model, mine in parts for tree in model.trees)
    sizes = [end - begin for model in models for begin, end in pairwise(model.begins)]
    return Model(trees, inputs, tuple(accumulate(sizes, initial=0)))


def _tree(block: Mapping[str, str]) -> Tree:
    def whole(key: str) -> Ints:
        return np.array(block.get(key, "").split(), np.int64)

    return Tree(
        whole("split_feature"),
        whole("decision_type"),
        np.array(block.get("threshold", "").split(), np.float64),
        whole("left_child"),
        whole("right_child"),
        whole("internal_count"),
        np.array(block["leaf_value"].split(), np.float64),
        whole("leaf_count"),
        whole("cat_boundaries"),
        whole("cat_threshold").astype(np.uint32),
    )


def _parents_first(tree: Tree) -> bool:
    nodes = np.arange(len(tree.left))
    return all(bool(((child < 0) | (child > nodes)).all()) for child in (tree.left, tree.right))


def _pairs(block: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in block.splitlines()) if key}
