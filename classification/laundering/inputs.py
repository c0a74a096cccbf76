"""What the transfers of a company say of its customers at a date: findings by typology, and the scores of the model."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from classification.laundering.register import NOTHING, Inputs
from features.company import Company
from features.transfers.edges import read_edges
from features.transfers.settings import TypologySettings
from features.transfers.typologies import findings
from training import registry
from training.laundering.accounts import read_accounts
from training.laundering.learn import TASK, rank
from training.laundering.publish import fetch_ranking


def inputs_at(tables: Path, company: Company, source: str, on: date, settings: TypologySettings) -> Inputs:
    """Findings of the transfers that were known before `on`, and where a model of `<source>.laundering` is live, its
    scores. Nothing of either where there are no transfers."""
    edges = read_edges(tables, company, on, settings.cash)
    if not len(edges):
        return NOTHING
    found, version = findings(edges, on, settings), registry.champion_version(source, TASK)
    if version is None:
        return Inputs(found)
    return Inputs(found, rank(fetch_ranking(source, version), read_accounts(tables, company, on, settings)))
