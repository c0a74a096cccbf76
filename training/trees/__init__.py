"""LightGBM's trees, scored by a compiled loop over flat arrays: the same bits as LightGBM, several times as fast."""

from training.trees.parse import Trees, parse_trees
from training.trees.score import score_trees

__all__ = ["Trees", "parse_trees", "score_trees"]
