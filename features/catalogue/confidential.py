"""What a customer may not be told, and what therefore shows in no answer about it: suspicions of money laundering.

Telling someone of such a report is an offence in most countries ("tipping off"), and a score that moves with one would
tell it too.
"""

from __future__ import annotations

from collections.abc import Sequence

from features.catalogue import CATALOGUE
from features.spec import AnyFeature, Feature, kinds
from features.tables.events import CONFIDENTIAL_KINDS


def confidential(features: Sequence[AnyFeature]) -> frozenset[str]:
    """The names of the features that look at confidential events, be it through another feature."""
    found: set[str] = set()
    for feature in features:  # a combined one stands behind those it is made of
        if isinstance(feature, Feature):
            looks = feature.kinds & kinds(*CONFIDENTIAL_KINDS) != 0
        else:
            looks = not found.isdisjoint(feature.of)
        found |= {feature.name} if looks else set()
    return frozenset(found)


CONFIDENTIAL = confidential(CATALOGUE)
