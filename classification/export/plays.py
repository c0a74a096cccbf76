"""What the plays of customers say, as columns for a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from classification.export.base import Plays
from classification.playbook import Playbook
from classification.plays import Play, plays_of

SAID: dict[str, Callable[[Play], str | None]] = {
    "owner": lambda play: play.owner,
    "discount": lambda play: play.discount,
    "discount_rule": lambda play: play.because.get("discount"),
    "service": lambda play: " ".join(play.service) or None,
    "marketing": lambda play: " ".join(play.marketing) or None,
    "care": lambda play: " ".join(play.care) or None,
    "action": lambda play: play.action.do if play.action else None,
    "programmes": lambda play: " ".join(play.programmes.values()) or None,
}
"""What may be told of a play, but for the next visit → its text, null for none."""


def plays_in(playbook: Playbook, visits: pa.Table) -> Plays:
    """What the plays of a playbook say; visits: those that are due (`classification.worklists.due_visits`), of which a
    customer's first is told."""
    first = visits.group_by("customer_id").aggregate([("due", "min")])

    def said(grades: pa.Table) -> Mapping[str, pa.Array]:
        plays, which = plays_of(playbook, grades)
        places = pa.array(which)
        found = {name: pa.array(map(text, plays), pa.string()).take(places) for name, text in SAID.items()}
        due = pc.index_in(grades["customer_id"].combine_chunks(), first["customer_id"].combine_chunks())
        return found | {"next_visit": first["due_min"].combine_chunks().take(due)}

    return said
