"""What to do for a customer, as the service answers it: by its stored classes, from the playbook that is there now."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from classification.playbook import Playbook, check_fits, load_playbook
from classification.playbook_use import note_playbook, playbook_in_use
from classification.plays import play_of
from classification.scheme import Scheme
from features.workspace import Workspace

REMEMBERED = 4_096
"""So many different plays are kept at hand."""


class Plays:
    """The plays of one playbook, for customers classified by one scheme."""

    def __init__(self, playbook: Playbook, scheme: Scheme) -> None:
        self.playbook, self.scheme = playbook, scheme
        self._play = lru_cache(REMEMBERED)(self._made)

    def of(self, classes: Mapping[str, str], no_marketing: bool) -> bytes:
        """The play of a customer as JSON, as `serving.schema.CustomerPlay` describes it; classes: dimension → class."""
        return self._play(tuple(map(classes.__getitem__, self.playbook.plays)), no_marketing)

    def one(self, dimension: str, class_: str) -> dict[str, Any] | None:
        """What the playbook says of one class, as `serving.schema.ClassPlayOut` describes it; None: nothing."""
        play = self.playbook.plays.get(dimension, {}).get(class_)
        if play is None:
            return None
        name = self.scheme.dimensions[dimension].name_of(class_)
        said = {"playbook": self.playbook.version, "dimension": dimension, "code": class_, "name": name}
        return said | {"play": play.model_dump(mode="json")}

    def _made(self, codes: tuple[str, ...], no_marketing: bool) -> bytes:
        play = play_of(self.playbook, dict(zip(self.playbook.plays, codes, strict=True)), no_marketing)
        told = {
            "playbook": self.playbook.version,
            "owner": play.owner,
            "discount": {"tier": play.discount, "percent": self.playbook.tiers[play.discount]},
            "service": play.service,
            "marketing": play.marketing,
            "care": play.care,
            "needs": play.needs,
            "programmes": play.programmes,
            "action": play.action.model_dump() if play.action else None,
            "visits": play.visits.model_dump() if play.visits else None,
            "cap": play.cap,
            "because": play.because,
        }
        return msgspec.json.encode(told)


def open_plays(workspace: Workspace, scheme: Scheme, version: str | None = None) -> Plays | None:
    """The plays for a service that starts; version: of the playbook, by default the one in use, which changes when it
    is another. None where the one in use is for classes of another scheme; InputError where `version` is."""
    playbook = load_playbook(version) if version else playbook_in_use(workspace)
    if version:
        check_fits(playbook, scheme.version)
    if scheme.version not in playbook.schemes:
        return None
    note_playbook(workspace, playbook, None, "first used by the service")
    return Plays(playbook, scheme)
