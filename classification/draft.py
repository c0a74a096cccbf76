"""A new version of a scheme as the text of the old one, changed where it was asked for: comments and layout stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import yaml

from features.errors import InputError


def draft(text: str, version: str, changes: Sequence[str] = ()) -> str:
    """The text of scheme `version`, which replaces the one in `text`.

    changes: as in `dimensions.value.share.top.A=0.10`, the path of a key and its new value as YAML; a key that is not
    there is added. Classes keep their letters, so that nothing maps forward until a change says so. Raises InputError
    for a path that cannot be set.
    """
    old = str(_tree(text)["version"])
    said = [f'version="{version}"', f'replaces="{old}"', "forward={}", *changes]
    for change in said:
        path, sign, value = change.partition("=")
        if not sign or not path.strip():
            raise InputError("--set", f"'{change}'", "a path and a value, as in dimensions.value.share.top.A=0.10")
        text = _set(text, path.strip().split("."), value.strip())
    return text


def _set(text: str, path: Sequence[str], value: str) -> str:
    """The text with one value replaced, or added to the deepest mapping on its path that is there."""
    where = f"--set {'.'.join(path)}"
    try:
        yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(where, f"'{value}'", "a value in YAML", " ".join(str(error).split())) from None
    node: yaml.Node = _compose(text)
    for i, step in enumerate(path):
        children = dict(_children(node))
        if step not in children:
            if not isinstance(node, yaml.MappingNode):
                there = (
                    f"one of {', '.join(children)}" if children else "a path that ends before it: there is one value"
                )
                raise InputError(where, f"no '{step}'", there)
            rest = "".join(f"{{{each}: " for each in path[i + 1 :]) + value + "}" * len(path[i + 1 :])
            return _added(text, node, f"{step}: {rest}")
        node = children[step]
    return text[: node.start_mark.index] + value + text[_end(node) :]


def _added(text: str, node: yaml.MappingNode, entry: str) -> str:
    """The text with an entry at the end of a mapping, in the mapping's own style."""
    end = _end(node)
    if node.flow_style:
        return text[: end - 1] + (", " if node.value else "") + entry + text[end - 1 :]
    line = text.find("\n", end)
    end = line if line >= 0 else len(text)
    return f"{text[:end]}\n{' ' * node.start_mark.column}{entry}{text[end:]}"


def _children(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), value) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from ((str(i), value) for i, value in enumerate(node.value))


def _end(node: yaml.Node) -> int:
    """Where a node's own text ends; a block's mark lies behind the blanks and comments that follow it."""
    children = [value for _, value in _children(node)]
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    return _end(children[-1]) if block and children else int(node.end_mark.index)


def _compose(text: str) -> yaml.MappingNode:
    node = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise InputError("the scheme", "no mapping", "a classification scheme")
    return node


def _tree(text: str) -> Mapping[str, object]:
    return {key: value.value for key, value in _children(_compose(text))}
