"""What the transfers of a company say of its customers at a date: findings by typology, and the scores of the model."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from classification.laundering.register import NOTHING, Inputs
from features.company import Company
from features.transfers.edges import read_edges
from features.transfers.settings import TypologySettings
from features.transfers.typologies import NOTHING as UNSEEN
from features.transfers.typologies import After, findings
from training import registry
from training.laundering.accounts import accounts_of
from training.laundering.learn import TASK, rank
from training.laundering.publish import fetch_ranking


def inputs_at(
    tables: Path, company: Company, source: str, on: date, settings: TypologySettings, after: After = UNSEEN
) -> Inputs:
    """Findings of the transfers that were known before `on`, and where a model of `<source>.laundering` is live, its
    scores. Nothing of either where there are no transfers; and a model that learnt from later days has no say.

    after: (customer, typology) → the last day that persons have looked into, as `features.transfers.typologies` takes
    it.
    """
    edges = read_edges(tables, company, on, settings.cash)
    if not len(edges):
        return NOTHING
    found, version = findings(edges, on, settings, after), registry.champion_version(source, TASK)
    if version is None:
        return Inputs(found)
    model = fetch_ranking(source, version)
    if date.fromisoformat(model.about["as_of"]) > on:
        return Inputs(found)
    return Inputs(found, rank(model, accounts_of(edges, tables, company, on, settings)))
