"""LightGBM's trees, scored and explained by compiled loops over flat arrays, many times as fast as by LightGBM: the
scores to its very bits, the contributions to rounding."""

from training.trees.parity import check_parity, edge_rows
from training.trees.parse import Trees, parse_trees
from training.trees.score import score_trees
from training.trees.share import MANY, share_out
from training.trees.shares import Shares, parse_shares

__all__ = [
    "MANY",
    "Shares",
    "Trees",
    "check_parity",
    "edge_rows",
    "parse_shares",
    "parse_trees",
    "score_trees",
    "share_out",
]
