"""The accounts of a company as they were known at a date: what they are ranked by, and who was reported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.company import Company
from features.errors import InputError
from features.tables.sql import parquet, visible
from features.transfers.accounts import account_features
from features.transfers.edges import Edges, read_edges
from features.transfers.settings import NAMES, TypologySettings
from features.workspace import damaged

Array = NDArray[np.float64]
REPORT = "suspicious_report"


@dataclass(frozen=True)
class Accounts:
    """ids (n,): pseudonyms; table: a row each, the features; rules (n,): the largest strength over its typology's
    threshold, from 1 on a finding; reported (n,): 1 for a suspicious report about it, ever."""

    ids: pa.Array
    table: pa.Table
    rules: Array
    reported: Array

    def __len__(self) -> int:
        return len(self.ids)


def read_accounts(tables: Path, company: Company, as_of: date, settings: TypologySettings) -> Accounts:
    """The accounts of the transfers visible at `as_of`. Raises InputError without transfers."""
    return accounts_of(read_edges(tables, company, as_of, settings.cash), tables, company, as_of, settings)


def accounts_of(edges: Edges, tables: Path, company: Company, as_of: date, settings: TypologySettings) -> Accounts:
    """Every customer with a transfer of `edges`, those visible at `as_of`, in order of pseudonym.

    Reports are the label and no feature; neither are list hits nor refusals. A feature may speak of the transfers of an
    account's partners, never of reports about them. Raises InputError without transfers.
    """
    if not len(edges):
        raise InputError(
            tables, f"no transfer that was known before {as_of}", "events transfer_in or transfer_out, with amounts"
        )
    ids, matrix, names = account_features(edges, as_of, settings)
    at = {name: i for i, name in enumerate(names)}
    active = matrix[:, at["paid_transfers"]] + matrix[:, at["received_transfers"]] > 0
    ids, matrix = ids.filter(pa.array(active)), matrix[active]
    rules = rule_scores(matrix[:, [at[f"strength_{name}"] for name in NAMES]], settings)
    return Accounts(
        ids, pa.table(dict(zip(names, matrix.T, strict=True))), rules, _reported(tables, company, as_of, ids)
    )


def rule_scores(strengths: Array, settings: TypologySettings) -> Array:
    """Of strengths (n, typologies) the largest over its threshold, (n,): the order in which rules alone alert."""
    thresholds = [getattr(settings.typologies, name).at_least for name in NAMES]
    return np.asarray((strengths / np.array(thresholds)).max(axis=1))


def _reported(tables: Path, company: Company, as_of: date, ids: pa.Array) -> Array:
    events = tables / "events.parquet"
    asked = f"SELECT DISTINCT customer_id FROM {parquet(events)} WHERE kind = '{REPORT}' AND " + visible(
        as_of, company.timezone
    )
    try:
        with duckdb.connect() as db:
            found = db.sql(asked).to_arrow_table()["customer_id"].cast(pa.string()).combine_chunks()
    except duckdb.Error as error:
        raise damaged(events, error) from None
    return np.asarray(pa.compute.is_in(ids, found), float)
