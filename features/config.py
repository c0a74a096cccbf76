"""Reading YAML into strict, frozen models: an unknown key is an error that says where it stands."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from features.errors import InputError


class Config(BaseModel):
    """Base of everything read from YAML."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


C = TypeVar("C", bound=Config)


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
    try:
        values = yaml.load(text, _UniqueKeys)  # noqa: S506 a SafeLoader
        text_of_values = json.dumps(values, default=str)  # in JSON a list may stand for a tuple
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InputError(place, " ".join(str(error).split()), "YAML of texts, numbers, lists and mappings") from None
    try:
        return model.model_validate_json(text_of_values)
    except ValidationError as error:
        first = max(error.errors(), key=lambda each: len(each["loc"]))  # of alternatives, the one that fits furthest
        raise InputError(f"{place}: {_path(first['loc'])}", *_finding(first, model)) from None


class _UniqueKeys(yaml.SafeLoader):
    """YAML whose mappings name no key twice (PyYAML would silently take the last)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if "function-" not in str(part)) or "(the whole file)"


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
