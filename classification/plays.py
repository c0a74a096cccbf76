"""One play of all a customer's classes: what to do for it, by whom, and which class says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from classification.months import CLASS
from classification.playbook import CAMPAIGN, Action, ClassPlay, Playbook, Visits

EVERYONE = "everyone"
"""What stands for the class where none says otherwise."""


@dataclass(frozen=True)
class Play:
    """What to do for one customer. service, marketing, care, needs: texts of its classes; programmes: name → what it
    is; discount: its tier; cap: most that serving it may cost in 365 days, in minor currency units; None: none.

    because: owner, discount, action, visits, cap → the class that says so, as in `value=A`, or `everyone`.
    """

    service: tuple[str, ...]
    marketing: tuple[str, ...]
    care: tuple[str, ...]
    needs: tuple[str, ...]
    programmes: dict[str, str]
    owner: str
    discount: str
    action: Action | None
    visits: Visits | None
    cap: int | None
    because: dict[str, str]


def play_of(playbook: Playbook, classes: Mapping[str, str], no_marketing: bool = False) -> Play:
    """The play of a customer by its classes, dimension → class.

    The order of precedence is that of the playbook's dimensions; `everyone` comes last. Texts are kept of all classes
    in that order, equal ones once; of owner, action, visits, cap, and of programmes of one name, the first counts; the
    discount is the best tier of all. A class without a play says nothing, nor does an unknown one.
    no_marketing: marketing, programmes, actions that sell and campaigns as owners do not count.
    """
    said = _said(playbook, classes, no_marketing)
    found = {name: _first(said, name) for name in ("owner", "action", "visits", "cap")}
    tiers = list(playbook.tiers)
    found["discount"] = min(
        ((play.discount, by) for by, play in said.items() if play.discount), key=lambda each: tiers.index(each[0])
    )
    plays = said.values()
    return Play(
        service=_texts(play.service for play in plays),
        marketing=_texts(play.marketing for play in plays),
        care=_texts(play.care for play in plays),
        needs=_texts(text for play in plays for text in play.needs),
        programmes=_programmes(plays),
        because={name: by for name, (_, by) in found.items() if by},
        **{name: value for name, (value, _) in found.items()},
    )


def plays_of(playbook: Playbook, grades: pa.Table) -> tuple[list[Play], NDArray[np.intp]]:
    """The plays of many customers: each play there is, once, and the place in that list of every row's.

    grades: rows of a month's grades.parquet, with class_<dimension> of what the playbook covers, and no_marketing.
    """
    columns = [grades[f"{CLASS}{name}"] for name in playbook.plays]
    coded = pc.binary_join_element_wise(*columns, grades["no_marketing"].cast(pa.string()), ",")
    coded = coded.combine_chunks().dictionary_encode()
    plays = []
    for key in coded.dictionary.to_pylist():
        *classes, objects = key.split(",")
        plays.append(play_of(playbook, dict(zip(playbook.plays, classes, strict=True)), objects == "true"))
    return plays, coded.indices.to_numpy().astype(np.intp)


def _said(playbook: Playbook, classes: Mapping[str, str], no_marketing: bool) -> dict[str, ClassPlay]:
    """The plays that count, the first that counts first: the class, as in `value=A` → its play."""
    found: dict[str, ClassPlay] = {}
    for name, plays in playbook.plays.items():
        class_ = classes.get(name, "")
        if class_ in plays:
            found[f"{name}={class_}"] = plays[class_]
    found[EVERYONE] = playbook.everyone
    return {by: _without_marketing(play) for by, play in found.items()} if no_marketing else found


def _without_marketing(play: ClassPlay) -> ClassPlay:
    changes: dict[str, Any] = {"marketing": None, "programmes": {}}
    if play.action and play.action.sells:
        changes["action"] = None
    if play.owner == CAMPAIGN:
        changes["owner"] = None
    return play.model_copy(update=changes)


def _first(said: Mapping[str, ClassPlay], name: str) -> tuple[Any, str]:
    """What the first play says that says something, and the class of it; none, and an empty text."""
    values = ((getattr(play, name), by) for by, play in said.items())
    return next(((value, by) for value, by in values if value is not None), (None, ""))


def _programmes(plays: Iterable[ClassPlay]) -> dict[str, str]:
    found: dict[str, str] = {}
    for play in plays:
        for name, text in play.programmes.items():
            found.setdefault(name, text)
    return found


def _texts(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text is not None))
