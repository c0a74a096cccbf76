"""LightGBM's trees, scored and explained by compiled loops over flat arrays, many times as fast as by LightGBM: the
scores to its very bits, the contributions to rounding."""

from training.trees.parity import check_parity, edge_rows
from training.trees.parse import Trees, trees_of
from training.trees.score import FEW, raw_scores, score_few, score_trees
from training.trees.share import MANY, share_out
from training.trees.shares import Shares, parse_shares, shares_of
from training.trees.text import Model, read_model, together

__all__ = [
    "FEW",
    "MANY",
    "Model",
    "Shares",
    "Trees",
    "check_parity",
    "edge_rows",
    "parse_shares",
    "raw_scores",
    "read_model",
    "score_few",
    "score_trees",
    "share_out",
    "shares_of",
    "together",
    "trees_of",
]
