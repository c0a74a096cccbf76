"""Reading YAML into strict, frozen models: an unknown key is an error that says where it stands."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from features.errors import InputError


class Config(BaseModel):
    """Base of everything read from YAML."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


C = TypeVar("C", bound=Config)

KEY = "[key]"
"""What pydantic puts at the end of the location of a mapping's key."""


class FlawError(ValueError):
    """What a validator finds wrong: the words of an `InputError`. at: the path below the value that it looks at."""

    def __init__(self, found: str, wanted: str, cure: str = "", at: str = "") -> None:
        self.found, self.wanted, self.cure, self.at = found, wanted, cure, at
        super().__init__(wanted)


def load_config(model: type[C], path: Path, what: str) -> C:
    """The config at `path`; an InputError that names the key and the cure when it cannot be read as `model`."""
    return read_config(model, read_text(path, what), str(path))


def json_schema(model: type[Config], title: str) -> str:
    """The JSON Schema of a config, for editors that complete and check it while one writes."""
    schema = model.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = title
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def read_text(path: Path, what: str) -> str:
    """The text of a config file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise InputError(path, "no such file", what, f"There are: {', '.join(near)}." if near else "") from None
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(path, str(error), f"{what}, as UTF-8 text") from None


def read_config(model: type[C], text: str, place: str) -> C:
    """The config in `text`; `place` names it in errors."""
    values = _values(text, place)
    try:
        return model.model_validate_json(values)
    except ValidationError as error:
        first = max(error.errors(), key=lambda each: len(each["loc"]))  # of alternatives, the one that fits furthest
        raise _letter(first, model, place, json.loads(values)) from None


def find_flaws(model: type[Config], text: str, place: str) -> list[InputError]:
    """Everything that keeps `text` from being read as `model`; empty when it can be."""
    try:
        values = _values(text, place)
        model.model_validate_json(values)
    except InputError as error:
        return [error]
    except ValidationError as error:
        known, found = json.loads(values), dict[tuple[int | str, ...], Any]()
        for each in error.errors():
            steps = (*_steps(each, known), *(step for step in each["loc"][-1:] if step == KEY))
            if steps not in found or len(each["loc"]) > len(found[steps]["loc"]):
                found[steps] = each
        within = {steps[:i] for steps in found for i in range(len(steps))}  # of alternatives the one that fits furthest
        return [_letter(each, model, place, known) for steps, each in found.items() if steps not in within]
    return []


def _values(text: str, place: str) -> str:
    """The YAML in `text` as JSON, where a list may stand for a tuple."""
    try:
        return json.dumps(yaml.load(text, _UniqueKeys), default=str)  # noqa: S506 a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InputError(place, " ".join(str(error).split()), "YAML of texts, numbers, lists and mappings") from None


class _UniqueKeys(yaml.SafeLoader):
    """YAML whose mappings name no key twice (PyYAML would silently take the last)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [str(self.construct_object(key, deep=True)) for key, _ in node.value]  # 1 and "1" are one key
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _letter(error: Any, model: type[BaseModel], place: str, values: Any) -> InputError:
    where, flaw = _steps(error, values), error.get("ctx", {}).get("error")
    if isinstance(flaw, FlawError):
        where += [flaw.at] if flaw.at else []
        return InputError(f"{place}: {_path(where)}", flaw.found, flaw.wanted, flaw.cure)
    return InputError(f"{place}: {_path(where)}", *_finding(error, model))


def _steps(error: Any, values: Any) -> list[int | str]:
    """The steps of an error's location that the file has: the others name alternatives and validators."""
    found: list[int | str] = []
    for step in error["loc"]:
        with contextlib.suppress(KeyError, IndexError, TypeError):
            values = values[step]
            found.append(step)
    return found + ([error["loc"][-1]] if error["type"] == "missing" else [])


def _path(steps: Sequence[int | str]) -> str:
    return ".".join(map(str, steps)) or "(the whole file)"


def _finding(error: Any, model: type[BaseModel]) -> tuple[str, str, str]:
    """found, wanted, cure."""
    match error["type"]:
        case "extra_forbidden":
            key = str(error["loc"][-1])
            close = difflib.get_close_matches(key, _all_keys(model), n=1)
            return f"the unknown key '{key}'", "only known keys", f"Did you mean '{close[0]}'?" if close else ""
        case "missing":
            return "nothing", "this key", "Add it."
        case _:
            return f"{error['input']!r}"[:200], error["msg"].removeprefix("Value error, "), ""


def _all_keys(model: type[BaseModel]) -> list[str]:
    schema = model.model_json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    return sorted({key for each in models for key in each.get("properties", {})})
