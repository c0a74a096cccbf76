"""LightGBM's trees, scored and explained by compiled loops over flat arrays, many times as fast as by LightGBM: the
scores to its very bits, the contributions to rounding."""

from training.trees.parse import Trees, parse_trees
from training.trees.score import score_trees
from training.trees.shares import Shares, parse_shares, share_out

__all__ = ["Shares", "Trees", "parse_shares", "parse_trees", "score_trees", "share_out"]
