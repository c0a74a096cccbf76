"""The class code: one short text per customer that says all its classes, and can be read back without loss.

A code has levels, the coarse first. Cut off after a level it is a code still, which says less: `AL` of `AL-FY13`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

BETWEEN = "-"
"""What stands between two levels."""


@dataclass(frozen=True)
class Code:
    """Literal texts and dimensions in turn. Every dimension has classes of one width, so that a code reads one way.

    ends: the lengths that a code may have, one for each level; the last is that of a whole code.
    """

    parts: tuple[tuple[str, str], ...]
    widths: Mapping[str, int]
    ends: tuple[int, ...]

    @staticmethod
    def from_levels(levels: Sequence[str], widths: Mapping[str, int]) -> Code:
        """levels: a template each, as in "{value}{lifecycle}"; widths: dimension → characters of its classes.

        Raises ValueError for a dimension that is unknown, missing or there twice.
        """
        parts: list[tuple[str, str]] = []
        ends: list[int] = []
        for number, template in enumerate(levels):
            found = _parts(template if not number else f"{BETWEEN}{template}", widths)
            if not any(name for _, name in found):
                raise ValueError(f"a dimension in every level; there is none in '{template}'")
            parts += found
            ends.append(sum(len(literal) + (widths[name] if name else 0) for literal, name in parts))
        named = [name for _, name in parts if name]
        for name in named:
            if named.count(name) > 1:
                raise ValueError(f"'{name}' once")
        missing = [name for name in widths if name not in named]
        if missing:
            raise ValueError(f"every dimension; '{missing[0]}' is missing")
        return Code(tuple(parts), dict(widths), tuple(ends))

    def encode(self, classes: Mapping[str, str]) -> str:
        """The code of one customer's classes."""
        template, named = self._template
        return template % tuple([classes[name] for name in named])

    @cached_property
    def _template(self) -> tuple[str, tuple[str, ...]]:
        """The literal texts with a place for each class, and the dimensions in the order of their places."""
        texts = (literal.replace("%", "%%") + ("%s" if name else "") for literal, name in self.parts)
        return "".join(texts), tuple(name for _, name in self.parts if name)

    def encode_all(self, classes: Mapping[str, NDArray[np.str_]]) -> NDArray[np.str_]:
        """The codes of many customers, dimension → (n,) classes."""
        size = len(next(iter(classes.values())))
        letters = np.empty((size, self.ends[-1]), "<U1")
        at = 0
        for literal, name in self.parts:
            for letter in literal:
                letters[:, at] = letter
                at += 1
            if name:
                width = self.widths[name]
                own = np.ascontiguousarray(classes[name], f"<U{width}")
                letters[:, at : at + width] = own.view("<U1").reshape(size, width)
                at += width
        return letters.view(f"<U{self.ends[-1]}").reshape(size)

    def decode(self, code: str) -> dict[str, str]:
        """The classes of a code, of all its levels or the first of them; ValueError when it is not of this scheme."""
        if len(code) not in self.ends:
            raise ValueError(f"{' or '.join(map(str, self.ends))} characters; '{code}' has {len(code)}")
        found, at = {}, 0
        for literal, name in self.parts:
            if at == len(code):
                break
            if not code.startswith(literal, at):
                raise ValueError(f"'{literal}' at position {at + 1} of '{code}'")
            at += len(literal)
            if name:
                found[name] = code[at : at + self.widths[name]]
                at += self.widths[name]
        return found


def _parts(template: str, widths: Mapping[str, int]) -> list[tuple[str, str]]:
    found = []
    for literal, name, form, conversion in string.Formatter().parse(template):
        if form or conversion:
            raise ValueError(f"only plain {{names}}, not '{name}' with a format")
        if name and name not in widths:
            raise ValueError(f"a dimension of this scheme instead of '{name}': {', '.join(widths)}")
        found.append((literal, name or ""))
    return found
