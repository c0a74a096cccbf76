"""A guess with its reason, and a tree of guesses as YAML whose comments say the reasons."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

WIDTH = 120


@dataclass(frozen=True)
class Guess:
    """A value of a source file. why: what speaks for it; unsure: what a person should look at; off: proposed in a
    comment only."""

    value: Any
    why: str = ""
    unsure: str = ""
    off: bool = False


Tree = Mapping[str, Any]
"""Key → Guess, or mappings and lists of these."""


def plain(tree: Any) -> Any:
    """The values alone, as a source file gives them; what is proposed in comments only is not among them."""
    if isinstance(tree, Guess):
        return tree.value
    if isinstance(tree, Mapping):
        return {key: plain(each) for key, each in tree.items() if _on(each)}
    return [plain(each) for each in tree if _on(each)] if isinstance(tree, list | tuple) else tree


def doubts(tree: Any, place: str = "") -> Iterator[str]:
    """What a person should look at, each with the path of the key."""
    if isinstance(tree, Guess):
        if tree.unsure:
            yield f"{place}: {tree.unsure}"
    elif isinstance(tree, Mapping):
        for key, each in tree.items():
            yield from doubts(each, f"{place}.{key}" if place else key)
    elif isinstance(tree, list | tuple):
        for each in tree:
            yield from doubts(each, f"{place}.{_called(each)}" if _called(each) else place)


def _called(tree: Any) -> str:
    name = tree.get("name") if isinstance(tree, Mapping) else None
    return str(name.value) if isinstance(name, Guess) else ""


def render(tree: Tree) -> str:
    """The tree as YAML."""
    return "\n".join(_mapping(tree, "")) + "\n"


def _on(tree: Any) -> bool:
    """Whether anything of it is more than a comment."""
    if isinstance(tree, Guess):
        return not tree.off
    return any(map(_on, tree.values() if isinstance(tree, Mapping) else tree))


def _mapping(tree: Tree, indent: str) -> Iterator[str]:
    for key, each in tree.items():
        off = "" if _on(each) else "# "
        if isinstance(each, Guess):
            yield from _entry(f"{indent}{off}{scalar(key)}: {flow(each.value)}", each, indent)
        else:
            yield f"{indent}{off}{scalar(key)}:"
            yield from _mapping(each, indent + "  ") if isinstance(each, Mapping) else _items(each, indent + "  ", off)


def _items(items: Sequence[Any], indent: str, off: str) -> Iterator[str]:
    for each in items:
        if isinstance(each, Guess):
            mark = "# " if each.off else ""
            yield from _entry(f"{indent}{mark}- {flow(each.value)}", each, indent)
        else:
            lines = _mapping(each, indent + "  ")
            first = True
            for line in lines:
                comment = line.lstrip().startswith("#")
                yield f"{indent}- {line.lstrip()}" if first and not comment else line
                first = first and comment


def _entry(line: str, guess: Guess, indent: str) -> Iterator[str]:
    """A line, with its comments behind it where they fit, else above it."""
    unsure = f"unsure: {guess.unsure}" if guess.unsure else ""
    comment = "; ".join(filter(None, (unsure, guess.why)))
    if not comment:
        yield line
    elif len(line) + len(comment) + 4 <= WIDTH:
        yield f"{line}  # {shown(comment)}"
    else:
        yield from (f"{indent}# {each}" for each in _wrapped(shown(comment), WIDTH - len(indent) - 2))
        yield line


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) + 1 > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
    return lines


def shown(text: str) -> str:
    """A text as it may stand in a comment: in one line, of printable signs."""
    return "".join(c if c.isprintable() else " " for c in text)


_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_ ./-]*")


def scalar(value: str | float | bool | None) -> str:
    """A value as YAML that reads back as the same value of the same type."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value == value.strip() and yaml.safe_load(value) == value:
        return value
    return str(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=float("inf"))).strip()


def flow(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)
