"""What computes a base: this machine, or Spark, on the cluster that its own configuration names."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


LOCAL_ONLY = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""Where the cluster is this machine: nothing listens beyond it, and the progress is ours to tell."""


class Engine(StrEnum):
    """Both give the same rows, scores and classes, to the last bit."""

    LOCAL = "local"
    SPARK = "spark"


@contextmanager
def spark_session() -> Iterator[SparkSession]:
    """The session that is open, which stays so; else a new one, which ends with the block.

    Spark's configuration is what its own documentation says: spark-defaults.conf in SPARK_CONF_DIR, and
    PYSPARK_SUBMIT_ARGS. On one machine nothing listens beyond 127.0.0.1. Raises InputError without pyspark or Java.
    """
    if importlib.util.find_spec("pyspark") is None:
        raise InputError("--engine spark", "no pyspark", "pip install 'customer-scoring[spark]'")
    if not (Path(os.environ.get("JAVA_HOME", ""), "bin", "java").is_file() or shutil.which("java")):
        raise InputError("--engine spark", "no Java", "a Java runtime, version 17 or later, or JAVA_HOME")
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    if (active := SparkSession.getActiveSession()) is not None:
        yield active
        return
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")  # tables come and go as Arrow
    conf = SparkConf().setIfMissing("spark.app.name", "customer-scoring").setIfMissing("spark.master", "local[*]")
    if (conf.get("spark.master") or "").startswith("local"):
        for name, value in LOCAL_ONLY.items():
            conf.setIfMissing(name, value)
    session = SparkSession.builder.config(conf=conf).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()
