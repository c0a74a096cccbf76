"""A candidate before it is registered: judged beside baselines and champion, and whose class it would change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classification.gate import GateSettings
from classification.gate_report import COLUMNS, GateReport
from classification.grade import score_base, take_snapshot
from classification.portrait import rule_csv, rules_of, tier_csv, tiers_of
from classification.promote import TASKS_TAG, examine
from classification.released import scheme_tags
from classification.scheme import Scheme
from classification.swap import SwapSet, swap_set
from classification.swap_plot import heat_map
from features.config import load_config
from features.workspace import Workspace, write_json
from training import registry
from training.associations import Rule
from training.evaluate import Verdict, judge
from training.manifest import manifest_digest
from training.release import Release, load_release
from training.review import Extras
from training.snapshots import Origin, Snapshot
from training.tiers import Tier

GATE = Path("configs/gate.yaml")
SETTINGS_TAG = "settings"


@dataclass(frozen=True)
class Challenge:
    """What was found of a candidate. swap: None before the first champion."""

    verdicts: list[Verdict]
    report: GateReport
    swap: SwapSet | None
    about: Mapping[str, Any]
    tiers: tuple[Tier, ...]
    rules: tuple[Rule, ...]
    scheme: Scheme

    def extras(self) -> Extras:
        """What the candidate's run in MLflow shows of it."""
        tags = {
            **self.report.tags(),
            TASKS_TAG: " ".join(self.about["tasks"]),
            SETTINGS_TAG: json.dumps(self.about["settings"]),
            **scheme_tags(self.scheme),
        }
        gate_json = json.dumps(self.report.to_json(), indent=1, ensure_ascii=False)
        files = {"gate.json": gate_json.encode(), "gate.md": self.report.markdown().encode()}
        files |= {"tables/tiers.csv": tier_csv(self.tiers), "tables/association-rules.csv": rule_csv(self.rules)}
        notes: dict[str, Any] = {f"Gate: {self.report.verdict}": (COLUMNS, self.report.rows())}
        metrics = {"gate_passed": float(self.report.passed)}
        if self.swap is not None:
            metrics |= swap_metrics(self.swap)
            files |= swap_files(self.swap, self.about["currency"])
        return Extras(tags, metrics, files, notes)


def load_gate(path: Path = GATE) -> GateSettings:
    """How strict the gate is."""
    return load_config(GateSettings, path, "the settings of the gate")


def challenge(workspace: Workspace, champion: Release | None, base: Snapshot, origin: Origin) -> Challenge:
    """Judge the candidate of `workspace.training`; base: the customers on the date that is graded."""
    verdicts = judge(workspace)
    folder = workspace.training / "release"
    newest = registry.latest_version(origin.source) or 0
    candidate = load_release(folder, manifest_digest(folder), newest + 1)  # what it will be registered as
    scored = score_base(candidate, base, origin)
    live, scores = scored.live, scored.scores
    graded = live.grade(base.rows, base.texts, scores=scores)
    swap = swap_set(take_snapshot(champion, base, origin), live, base) if champion else None
    if swap:
        swap.write(workspace)
    about, reassigned = candidate.about, swap.reassigned if swap else None
    report = examine(workspace, about["source"], about["tasks"], load_gate(), reassigned)
    write_json(workspace.training / "gate.json", report.to_json())
    rules = rules_of(workspace.tables, live, graded, base)
    return Challenge(verdicts, report, swap, about, tiers_of(graded, base), rules, live.scheme)


def swap_metrics(swap: SwapSet) -> dict[str, float]:
    """The share of customers who change class, by dimension."""
    return {f"swap_{each.dimension.replace(' ', '_')}_share": each.share for each in swap.totals}


def swap_files(swap: SwapSet, currency: str) -> dict[str, bytes]:
    """Path in a run → content: who would change class, as counts and as a picture."""
    said = json.dumps(swap.to_json(), indent=1, ensure_ascii=False)
    files = {"swap/swap.json": said.encode(), "swap/swap.md": swap.markdown().encode()}
    return files | {"plots/swap-heat-map.png": heat_map(swap, currency)}
