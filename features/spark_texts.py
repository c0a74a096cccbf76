"""What is known of customers as texts, by Spark: the attributes and traits of the DuckDB queries, row for row."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from features.attributes import KEPT_OUT
from features.calendar import zone
from features.company import Company
from features.traits import DAYS, TRAITS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def attribute_frame(customers: DataFrame, as_of: date) -> DataFrame:
    """The rows of `features.attributes.attribute_table` at one date, in no order: customer_id, attribute, value."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    last = Window.partitionBy("customer_id", "attribute").orderBy(
        sql.col("valid_from").desc_nulls_last(), sql.col("value").desc_nulls_last()
    )
    valid = sql.col("valid_from").isNull() | (sql.col("valid_from") < sql.lit(as_of))
    found = customers.where(valid & ~sql.col("family").isin(*KEPT_OUT)).withColumn("place", sql.row_number().over(last))
    return found.where("place = 1").select("customer_id", "attribute", "value")


def trait_frame(events: DataFrame, items: DataFrame, company: Company, as_of: date) -> DataFrame:
    """The rows of `features.traits.trait_table`, in no order: customer_id, trait, value."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    midnight = sql.lit(datetime.combine(as_of, time(), zone(company.timezone)).astimezone(UTC))
    known, until, day = sql.col("known_at"), sql.col("known_until"), sql.col("day")
    seen = (known.isNull() | (known < midnight)) & (until.isNull() | (until >= midnight))
    lately = (day >= sql.lit(as_of - timedelta(days=DAYS))) & (day < sql.lit(as_of))
    bought = events.where((sql.col("kind") == "purchase") & lately & seen).select("customer_id", "item", "channel")
    lines = bought.join(sql.broadcast(items.select("item", "category")), "item", "left")
    said = sql.explode(sql.create_map(*(part for trait in TRAITS for part in (sql.lit(trait.name), sql.col(trait.by)))))
    counted = lines.select("customer_id", said.alias("trait", "value")).where("value IS NOT NULL")
    most = Window.partitionBy("customer_id", "trait").orderBy(sql.col("count").desc(), sql.col("value"))
    found = counted.groupBy("customer_id", "trait", "value").count().withColumn("place", sql.row_number().over(most))
    return found.where("place = 1").select("customer_id", "trait", "value")
