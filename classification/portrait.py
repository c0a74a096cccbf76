"""What a graded base looks like beside its classes: tiers of predicted value, and what goes with which purchases."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from classification.grade import Graded, LiveSet, class_name
from features.catalogue import POSITION
from training.associations import Rule, associations
from training.baskets import read_baskets
from training.recipes import VALUE
from training.snapshots import Snapshot
from training.tiers import Tier, cut_offs, tier_of, tier_table

MOST_RULES = 500


def tiers_of(graded: Graded, base: Snapshot) -> tuple[Tier, ...]:
    """Pareto tiers by predicted value; empty where nobody's is predicted."""
    predicted = graded.scores[VALUE.name]
    cuts = cut_offs(predicted)
    past = base.rows[:, POSITION["spend_365d"]]
    return tier_table(predicted, past, cuts) if (predicted > 0).any() else ()


def rules_of(tables: Path, live: LiveSet, graded: Graded, base: Snapshot) -> tuple[Rule, ...]:
    """Association rules between segment, classes, tiers and the products bought in the year before the date."""
    classes: dict[str, Sequence[str | None]] = {
        name: [class_name(live, name, str(code)) for code in codes] for name, codes in graded.classes.items()
    }
    tier = tier_of(graded.scores[VALUE.name], cut_offs(graded.scores[VALUE.name]))
    classes["tier"] = [f"{int(each)}" if each == each else None for each in tier]
    baskets = read_baskets(tables, list(base.ids), base.as_of, live.snapshot.company.timezone)
    return associations(classes, baskets)[:MOST_RULES]


def tier_csv(tiers: Sequence[Tier]) -> bytes:
    """A line per tier."""
    return _csv([asdict(tier) for tier in tiers])


def rule_csv(rules: Sequence[Rule]) -> bytes:
    """A line per rule, highest lift first."""
    return _csv([rule.row() for rule in rules])


def _csv(rows: Sequence[dict[str, object]]) -> bytes:
    out = io.StringIO()
    table = csv.DictWriter(out, list(rows[0]) if rows else ["none"], lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({name: f"{cell:.6g}" if isinstance(cell, float) else cell for name, cell in row.items()})
    return out.getvalue().encode()
