"""The playbook: what to do for the customers of each class. Data only; `classification.plays` looks it up."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from classification.rules import ClassCode
from classification.scheme import Dimension, Scheme, load_scheme
from features.config import Config, load_config
from features.errors import InputError

PLAYBOOKS = Path("configs/playbooks")

CURRENT = "2026-12"
"""The playbook of a workspace for which nobody chose another."""

CAMPAIGN = "campaign"

Text = Annotated[str, Field(min_length=1, max_length=200)]
Days = Annotated[int, Field(gt=0, le=3650)]
Owner = Literal["own manager", "automation", "campaign"]
Programme = Literal["welcome", "second order", "loyalty", "seasonal", "recommendation", "win back"]


class Action(Config):
    """What to do next. record: what to write back of the talk: an event `contact` with the expected date as its due
    day, or an event `refusal` with the reason as its code; sells: whether it canvasses."""

    do: Text
    record: Literal["expected date", "refusal reason"] | None = None
    sells: bool = False


class Visits(Config):
    """Days between two visits of the customer's representative, and of the supervisor."""

    representative: Days
    supervisor: Days


class ClassPlay(Config):
    """What to do for the customers of one class; what is not said is left to their other classes.

    discount: one of the tiers; cap: most that serving the customer may cost in 365 days, in minor currency units;
    needs: what customers of the class need; programmes: marketing in which the customer takes part by itself.
    """

    service: Text | None = None
    marketing: Text | None = None
    care: Text | None = None
    needs: tuple[Text, ...] = ()
    programmes: dict[Programme, Text] = Field({})
    owner: Owner | None = None
    discount: str | None = None
    action: Action | None = None
    visits: Visits | None = None
    cap: Annotated[int, Field(ge=0)] | None = None


class Everyone(ClassPlay):
    """What to do where no class says otherwise, so that everyone has an owner and a tier."""

    owner: Literal["own manager", "automation"]
    discount: str


class Playbook(Config):
    """configs/playbooks/<version>.yaml: dimension → class → play, for the schemes it names.

    tiers: of discount, from the best down, in percent of the list price. The order of `plays` is the order of
    precedence (`classification.plays`).
    """

    version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}[a-z]?$")]
    schemes: Annotated[tuple[str, ...], Field(min_length=1)]
    tiers: Annotated[dict[str, Annotated[float, Field(ge=0, lt=100)]], Field(min_length=1)]
    everyone: Everyone
    plays: dict[str, dict[ClassCode, ClassPlay]]

    @property
    def digest(self) -> str:
        """Tells its content from any other, whatever the comments in its file."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def playbook_path(version: str) -> Path:
    """Where a playbook of that version is, in `configs/playbooks`, or the path of its file."""
    return Path(version) if version.endswith((".yaml", ".yml")) else PLAYBOOKS / f"{version}.yaml"


def load_playbook(version: str) -> Playbook:
    """A playbook by its version, or by the path of its file. Raises InputError for one that does not fit a scheme it
    names."""
    path = playbook_path(version)
    playbook = load_config(Playbook, path, "a playbook")
    if path.stem != playbook.version:
        raise InputError(f"{path}: version", f"'{playbook.version}'", f"'{path.stem}', as the file is called")
    _check_tiers(playbook, path)
    for name in playbook.schemes:
        check_plays(playbook, load_scheme(name), path)
    return playbook


def check_plays(playbook: Playbook, scheme: Scheme, path: Path) -> None:
    """Refuse plays for what the scheme does not have, and a dimension of which a class has no play. The play of
    customers of whom the class is unknown may be left out."""
    for name, plays in playbook.plays.items():
        dimension = scheme.dimensions.get(name)
        if dimension is None:
            raise InputError(
                f"{path}: plays.{name}",
                f"no dimension of scheme {scheme.version}",
                f"one of {', '.join(scheme.dimensions)}",
                "Correct it, or take it out.",
            )
        _check_classes(name, dimension, plays, scheme.version, path)


def _check_classes(name: str, dimension: Dimension, plays: Collection[str], scheme: str, path: Path) -> None:
    for class_ in plays:
        if class_ not in dimension.all:
            raise InputError(
                f"{path}: plays.{name}.{class_}",
                f"no class of scheme {scheme}",
                f"one of {', '.join(dimension.all)}",
                "Correct it, or take it out.",
            )
    for class_ in dimension.rule.classes:
        if class_ not in plays:
            raise InputError(
                f"{path}: plays.{name}",
                f"no play for class {class_} ({dimension.name_of(class_)})",
                f"one for each class of scheme {scheme}",
                f'Add it; where nothing is to be done: "{class_}": {{}}',
            )


def check_fits(playbook: Playbook, scheme: str) -> None:
    """Refuse a playbook for classes of another scheme than those it names."""
    if scheme not in playbook.schemes:
        raise InputError(
            f"{playbook_path(playbook.version)}: schemes",
            ", ".join(playbook.schemes),
            f"{scheme}, the scheme of the classes at hand",
            "Choose a playbook that fits: `scoring playbook use`.",
        )


def _check_tiers(playbook: Playbook, path: Path) -> None:
    tiers = playbook.tiers
    for (better, high), (worse, low) in pairwise(tiers.items()):
        if not high > low:
            raise InputError(f"{path}: tiers.{worse}", f"{low:g} after {better}, {high:g}", "tiers from the best down")
    places: dict[str, ClassPlay] = {"everyone": playbook.everyone}
    places |= {f"plays.{name}.{c}": play for name, plays in playbook.plays.items() for c, play in plays.items()}
    for place, play in places.items():
        if play.discount is not None and play.discount not in tiers:
            raise InputError(f"{path}: {place}.discount", f"'{play.discount}'", f"one of the tiers {', '.join(tiers)}")
