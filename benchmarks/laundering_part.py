"""Laundering on simulated transfers; a part of `benchmarks.risk`.

AMLSim: accounts ranked by past reports, all candidates in the same five folds by account, and the rules. The settings
and the candidate were chosen in other folds of the same accounts. The sample company: its planted launderers, whom
nobody at the company knows, by the rules alone; where its simulator plants none, that part is left out. Quick:
few rounds, to show that everything works.
"""

from __future__ import annotations

import secrets
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.report import Part, Target, markdown, say
from features.tables.ingest import data_end, ingest
from features.tables.privacy import Pseudonyms
from features.tables.simulate import simulate
from features.tables.sources import Source, load_source
from features.transfers.settings import load_typologies
from features.workspace import Workspace, read_json
from training.laundering.accounts import Accounts, read_accounts
from training.laundering.judge import Judgement, judge
from training.laundering.settings import load_rank_settings

DATA = Path("../shared/data/amlsim_fanin")
TRUTH = Path("truth/launderers.csv")
BUDGET = 0.02
CUSTOMERS, SEEDS, QUICK_SEEDS = 2_000, (7, 8, 9), (7,)


def _read(source: Source, raw: Path, workspace: Workspace, pseudonyms: Pseudonyms) -> tuple[Accounts, date]:
    ingest(source, raw, workspace, pseudonyms)
    as_of = data_end(read_json(workspace.tables / "report.json"))
    return read_accounts(workspace.tables, source.company(), as_of, load_typologies()), as_of


def amlsim(quick: bool) -> Judgement:
    """All candidates on AMLSim's accounts."""
    say("AMLSim: ingest, features of accounts, five folds twice")
    settings, fit = load_rank_settings()
    if quick:
        fit = fit.model_copy(update={"boosting": fit.boosting.model_copy(update={"rounds": 30}), "resamples": 100})
    with tempfile.TemporaryDirectory() as home:
        accounts, _ = _read(load_source("amlsim"), DATA, Workspace(Path(home)), Pseudonyms(secrets.token_bytes(32)))
    return judge(accounts, settings, fit)[0]


def planted(seed: int) -> list[tuple[str, bool]] | None:
    """Of each principal the typology, and whether it is among the alerts on BUDGET of all customers; None without."""
    say(f"the sample company, seed {seed}: the rules alone")
    with tempfile.TemporaryDirectory() as home:
        raw, pseudonyms = Path(home, "raw"), Pseudonyms(secrets.token_bytes(32))
        simulate(raw, CUSTOMERS, seed)
        if not (raw / TRUTH).exists():
            return None
        accounts, _ = _read(load_source("sample"), raw, Workspace(Path(home, "home")), pseudonyms)
        text = csv.ConvertOptions(column_types={"customer_no": pa.string()})
        truth = csv.read_csv(raw / TRUTH, convert_options=text).to_pylist()
    order = np.argsort(-accounts.rules, kind="stable")[: round(BUDGET * CUSTOMERS)]
    alerted = set(accounts.ids.take(pa.array(order)).to_pylist())
    return [
        (row["typology"], pseudonyms.of(row["customer_no"]) in alerted) for row in truth if row["role"] == "principal"
    ]


def targets(found: Judgement, principals: list[tuple[str, bool]]) -> list[Target]:
    """The promises."""
    own = found.metrics[found.chosen]
    promised = [
        Target("amlsim: average precision, 5 folds", "≥0.76", own["average_precision"].value, ""),
        Target("amlsim: recall at alerts on 5 %", "≥0.70", own["recall_5_percent"].value, ""),
        Target("amlsim: average precision, stretch", "≥0.85", own["average_precision"].value, ""),
        Target("amlsim: recall at alerts on 5 %, stretch", "≥0.80", own["recall_5_percent"].value, ""),
    ]
    if principals:
        recall = float(np.mean([hit for _, hit in principals]))
        promised.append(Target("sample: principals found by the rules at alerts on 2 %", "≥0.8", recall, ""))
    return promised


def table(found: Judgement) -> str:
    """Markdown: every candidate with its intervals."""
    rows: list[dict[str, object]] = [
        {
            "candidate": name + (" (chosen)" if name == found.chosen else ""),
            "average precision when choosing": f"{found.earlier[name]:.4f}",
            **{key: f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]" for key, each in metrics.items()},
        }
        for name, metrics in found.metrics.items()
    ]
    return markdown(rows)


def by_typology(principals: list[tuple[str, bool]]) -> str:
    """Markdown: how many principals of each typology are among the alerts."""
    names = sorted({name for name, _ in principals})
    hits = {name: [hit for each, hit in principals if each == name] for name in names}
    return markdown([{"typology": name, "principals": len(hits[name]), "alerted": sum(hits[name])} for name in names])


def laundering(quick: bool) -> Part:
    """AMLSim, and the planted launderers of the sample company."""
    found = amlsim(quick)
    runs = [planted(seed) for seed in (QUICK_SEEDS if quick else SEEDS)]
    principals = [each for run in runs if run for each in run]
    return targets(found, principals), f"{table(found)}\n\n{by_typology(principals)}"
