"""Every feature there is, in the order of the feature row. Definitions only: nothing here computes."""

from __future__ import annotations

from features.catalogue.behaviour import BEHAVIOUR
from features.catalogue.demand import DEMAND
from features.catalogue.discipline import DISCIPLINE
from features.catalogue.risk import RISK
from features.catalogue.value import VALUE
from features.spec import AnyFeature, compile_features, fingerprint

CATALOGUE: tuple[AnyFeature, ...] = (*BEHAVIOUR, *VALUE, *DEMAND, *DISCIPLINE, *RISK)
NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)
POSITION: dict[str, int] = {name: i for i, name in enumerate(NAMES)}
PROGRAM = compile_features(CATALOGUE)
FINGERPRINT = fingerprint(CATALOGUE)
