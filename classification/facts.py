"""What a scheme looks at: numbers by name (features, scores, standings) and texts by name (attributes, traits)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.texts import Texts

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Facts:
    """The facts of `size` customers. numbers: name → (size,), NaN for null; texts: name → a text each."""

    size: int
    numbers: Mapping[str, Array]
    texts: Mapping[str, Texts] = field(default_factory=dict)

    def rows(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Facts:
        """The facts of some of the customers."""
        numbers = {name: column[which] for name, column in self.numbers.items()}
        texts = {name: column.rows(which) for name, column in self.texts.items()}
        return Facts(len(next(iter(numbers.values()), which)), numbers, texts)
