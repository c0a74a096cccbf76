"""Groups of customers who are alike: K-means over log-scaled features, with names that survive a retrain."""

from __future__ import annotations

from training.segments.choice import Candidate, choose
from training.segments.fitting import FEWEST_PER_SEGMENT, fit_segments
from training.segments.matching import Change, matched, reassigned_share
from training.segments.model import Segment, SegmentModel, described
from training.segments.retrain import Segmentation, segmented
from training.segments.spaces import SPACES, Space
from training.segments.stability import stability

__all__ = [
    "FEWEST_PER_SEGMENT",
    "SPACES",
    "Candidate",
    "Change",
    "Segment",
    "SegmentModel",
    "Segmentation",
    "Space",
    "choose",
    "described",
    "fit_segments",
    "matched",
    "reassigned_share",
    "segmented",
    "stability",
]
