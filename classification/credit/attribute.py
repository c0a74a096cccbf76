"""The credit grade as an attribute of the customer, so that the scheme, the history and every engine see it."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from features.tables.events import CUSTOMERS
from features.tables.rewrite import write_part
from features.tables.sources import CustomerTable, Source
from features.workspace import Workspace, staged

ATTRIBUTE = "credit_grade"
"""What the dimension of credit of the scheme looks at."""


def note_grades(workspace: Workspace, source: Source, advice: pa.Table, on: date) -> bool:
    """Keep the grades of `advice` (`credit.advice.SCHEMA`) beside the customers' other attributes, valid for gradings
    of `on` and later; those noted for the same date before are replaced. Whether they were: a company that has grades
    of its own keeps its own.

    They stay until every file is read afresh; then grade again.
    """
    if any(ATTRIBUTE in table.attributes for table in source.tables if isinstance(table, CustomerTable)):
        return False
    graded = advice.filter(pc.is_valid(advice["grade"])).sort_by("customer_id")
    many = len(graded)
    columns = {
        "customer_id": graded["customer_id"],
        "attribute": pa.array([ATTRIBUTE] * many, pa.string()),
        "value": graded["grade"],
        "valid_from": pa.array([on - timedelta(days=1)] * many, pa.date32()),
        "family": pa.array(["discipline"] * many, pa.string()),
        "merged_from": pa.nulls(many, pa.string()),
    }
    with staged(workspace.tables, keep=True) as folder:
        path = folder / "customers.parquet" / f"part-credit-{on.isoformat()}.parquet"
        path.unlink(missing_ok=True)
        if many:
            write_part(pa.table(columns, schema=CUSTOMERS), path)
    return True
