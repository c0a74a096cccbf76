"""Segments of real companies: stable, telling, large enough, and the same a month later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.batch import matrix, write_features
from features.catalogue import CATALOGUE, NAMES
from features.tables.sources import load_source
from features.workspace import Workspace
from serving.steps import Job
from tests.conftest import real_data
from training.associations import associations
from training.baskets import read_baskets
from training.segments import Segmentation, segmented
from training.segments.choice import SMALLEST
from training.segments.retrain import STABLE_ENOUGH

COMPANIES = {
    "online-retail": (
        ("online_retail/online_retail.parquet", "online_retail/online_retail_2009_2010.parquet"),
        (date(2011, 3, 10), date(2011, 5, 10), date(2011, 8, 10), date(2011, 9, 10)),
    ),
    "cdnow": (
        ("cdnow/CDNOW_master.txt.gz",),
        (date(1997, 11, 1), date(1998, 1, 1), date(1998, 3, 1), date(1998, 4, 1)),
    ),
}


@dataclass(frozen=True)
class Retrained:
    """Segments of one date, chosen with two earlier ones, and the retrain a month later."""

    tables: Path
    rows: np.ndarray
    ids: list[str]
    first: Segmentation
    later: Segmentation


@pytest.fixture(scope="module", params=COMPANIES)
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Retrained:
    """Each of the two."""
    files, dates = COMPANIES[request.param]
    workspace = Workspace(tmp_path_factory.mktemp(request.param))
    source = load_source(request.param)
    Job(source, workspace, real_data(*files)).ingest()
    out = workspace.home / "rows.parquet"
    write_features(workspace.tables, source.company(), CATALOGUE, dates, out)
    table = pq.read_table(out)
    *earlier, now, later = (table.filter(pc.equal(table["as_of"], day)) for day in dates)
    before = [matrix(each, NAMES) for each in earlier]
    first = segmented(matrix(now, NAMES), 20260101, earlier=before)
    rows = matrix(later, NAMES)
    ids = later["customer_id"].to_pylist()
    return Retrained(workspace.tables, rows, ids, first, segmented(rows, 20260101, first.model))


@pytest.mark.real
def test_segments_are_stable_and_large_enough(company: Retrained) -> None:
    """4 to 8 segments of at least 2 % of the customers, mean adjusted Rand index of bootstrap refits ≥ .85."""
    for found in (company.first, company.later):
        assert found.stability >= STABLE_ENOUGH
        assert 4 <= len(found.model.profile) <= 8
        assert min(segment.customers for segment in found.model.profile) >= SMALLEST


@pytest.mark.real
def test_a08_a_month_later_customers_keep_their_segment_and_segments_their_name(company: Retrained) -> None:
    """The same feature rows under the model retrained a month later: at least 90 % have the same number, and no
    segment whose words still hold has another name."""
    assert company.later.reassigned is not None and company.later.reassigned <= 0.10
    assert {change.fate for change in company.later.changes} <= {"kept", "renamed"}
    words = {segment.number: segment for segment in company.first.model.profile}
    for segment in company.later.model.profile:
        before = words[segment.number]
        if segment.name != before.name:
            assert not all(word.holds(segment.medians, segment.standing) for word in before.words)


@pytest.mark.real
def test_what_is_bought_goes_with_what_customers_are(company: Retrained) -> None:
    """Rules between segments and products, within bounds; none where purchases have no item codes."""
    model, rows = company.later.model, company.rows
    segment = [model.name_of(number) for number in model.predict(rows)]
    baskets = read_baskets(company.tables, company.ids, COMPANIES["online-retail"][1][-1])
    rules = associations({"segment": segment}, baskets)
    if not baskets.products:
        assert rules == ()
        return
    assert len(baskets.products) == 100 and len(rules) > 100
    assert any(rule.antecedent[0].startswith("segment: ") for rule in rules)
    assert all(rule.customers >= 0.02 * len(rows) for rule in rules)
