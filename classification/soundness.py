"""What keeps a scheme from being a standard: a definition that does not hold, a fact nobody computes, a class of the
version before that loses its meaning, one version with two contents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from classification.forward import forward_flaws
from classification.grade import FACTS, TRAIT_NAMES
from classification.scheme import SCHEMES, Scheme, load_scheme, read_scheme, strange_facts
from features.config import find_flaws, read_text
from features.errors import InputError

Released = Mapping[str, Mapping[str, str]]
"""Version of a scheme → digest of its content → a release that carries it."""


def scheme_digest(scheme: Scheme) -> str:
    """SHA-256 of what a scheme says: comments, and a default that is written down, change nothing."""
    said = json.dumps(scheme.model_dump(exclude_defaults=True), ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()


def scheme_files(folder: Path = SCHEMES) -> list[Path]:
    """Every scheme's file, in order of version."""
    return sorted(path for path in folder.glob("*") if path.suffix in (".yaml", ".yml"))


def file_flaws(path: Path, released: Released) -> list[InputError]:
    """A letter for everything that is wrong with the scheme in a file; empty when nothing is."""
    try:
        return text_flaws(read_text(path, "a classification scheme"), path, released)
    except InputError as error:
        return [error]


def text_flaws(text: str, path: Path, released: Released) -> list[InputError]:
    """The same of a text that is, or is to be, in that file."""
    return find_flaws(Scheme, text, str(path)) or list(_flaws(read_scheme(text, str(path)), path, released))


def other_contents(scheme: Scheme, released: Released, place: str) -> Iterator[InputError]:
    """A letter for each release that carries another scheme under the same version."""
    mine = scheme_digest(scheme)
    for digest, release in released.get(scheme.version, {}).items():
        if digest != mine:
            yield InputError(
                f"{place}: version",
                f"'{scheme.version}', which was released with other content ({release})",
                "one content for each version",
                f"Bring it back as it was, and make a new version: scoring scheme new VERSION --from {scheme.version}.",
            )


def _flaws(scheme: Scheme, path: Path, released: Released) -> Iterator[InputError]:
    if path.stem != scheme.version:
        yield InputError(f"{path}: version", f"'{scheme.version}'", f"'{path.stem}', as the file is called")
    yield from strange_facts(scheme, FACTS, TRAIT_NAMES, str(path))
    if scheme.replaces is not None:
        try:
            yield from forward_flaws(load_scheme(scheme.replaces), scheme, str(path))
        except InputError as error:
            cure = "Bring it back, or say `replaces: null` and leave `forward` out."
            yield InputError(f"{path}: replaces", f"'{scheme.replaces}', which cannot be read", error.letter(), cure)
    for other in scheme_files():
        if other.stem == scheme.version and other.resolve() != path.resolve():
            yield from _twice(scheme, path, other)
    yield from other_contents(scheme, released, str(path))


def _twice(scheme: Scheme, path: Path, other: Path) -> Iterator[InputError]:
    """A letter where two files define one version differently, or the other one cannot be read."""
    text = read_text(other, "a classification scheme")
    if find_flaws(Scheme, text, str(other)) or scheme_digest(read_scheme(text, str(other))) != scheme_digest(scheme):
        found = f"'{scheme.version}', which {other} defines otherwise"
        yield InputError(f"{path}: version", found, "one content for each version", "Give one of them another version.")
