"""The class code: one short text per customer that says all its classes, and can be read back without loss."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """Literal texts and dimensions in turn. Every dimension has classes of one width, so that a code reads one way."""

    parts: tuple[tuple[str, str], ...]
    widths: Mapping[str, int]

    @staticmethod
    def from_template(template: str, widths: Mapping[str, int]) -> Code:
        """`template` as in "{value}{lifecycle}-{churn}"; widths: dimension → characters of its classes.

        Raises ValueError for a dimension that is unknown, missing or there twice.
        """
        parts = []
        for literal, name, form, conversion in string.Formatter().parse(template):
            if form or conversion:
                raise ValueError(f"only plain {{names}}, not '{name}' with a format")
            parts.append((literal, name or ""))
        named = [name for _, name in parts if name]
        for name in named:
            if name not in widths:
                raise ValueError(f"a dimension of this scheme instead of '{name}': {', '.join(widths)}")
            if named.count(name) > 1:
                raise ValueError(f"'{name}' once")
        missing = [name for name in widths if name not in named]
        if missing:
            raise ValueError(f"every dimension; '{missing[0]}' is missing")
        return Code(tuple(parts), dict(widths))

    def encode(self, classes: Mapping[str, str]) -> str:
        """The code of one customer's classes."""
        return "".join(literal + (classes[name] if name else "") for literal, name in self.parts)

    def decode(self, code: str) -> dict[str, str]:
        """The classes of a code; ValueError when it is not one of this scheme."""
        found, at = {}, 0
        for literal, name in self.parts:
            if not code.startswith(literal, at):
                raise ValueError(f"'{literal}' at position {at + 1} of '{code}'")
            at += len(literal)
            if name:
                found[name] = code[at : at + self.widths[name]]
                at += self.widths[name]
        if at != len(code):
            raise ValueError(f"{at} characters; '{code}' has {len(code)}")
        return found
