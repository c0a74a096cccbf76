"""`make capabilities`: what the system must be able to do → the tests that would fail without it → whether they passed.

A plug-in of pytest. A test belongs to the capabilities in its name: `test_a07_a19_channel_and_…` to A7 and A19.
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

PROMISES = {
    "A1": "every customer is exactly one of A, B, C",
    "A2": "key customers are the top 5 %, ties deterministic, the cut-off shown",
    "A3": "shares come from the scheme file; changing them re-grades without code, and is logged",
    "A4": "one run a month writes a snapshot that never changes",
    "A5": "new large and new stable customers, every class's gain and loss against last month",
    "A6": "large and stable are two independent flags",
    "A7": "consumption type, purchase method, scale, loyalty as dimensions",
    "A8": "similar customers share a named segment, and the name survives a retrain",
    "A10": "each class of intent returns its play",
    "A11": "demand is high, low or latent",
    "A12": "frequent, seasonal, occasional; seasonal recurs in two years",
    "A13": "active, potential, loyal",
    "A14": "value from amount, frequency, cycle and prediction",
    "A15": "the lifecycle is a state machine; an illegal jump is an error",
    "A16": "long-term against temporary customers",
    "A17": "industry as a coded dimension with a profile of needs",
    "A18": "region and urban or rural",
    "A19": "product class → discount tier",
    "A20": "every feature and attribute carries its family",
    "A21": "a credit standard gives score, grade and reasons",
    "A22": "arrears: advice, a reference limit and a worklist; a person decides, and it can be contested",
    "A23": "one money-laundering grade per customer by weighted factors, each rule at its boundary",
    "A24": "due diligence and review dates follow the laundering grade; a second person confirms",
    "A25": "nobody without a laundering grade, evidence per factor, events raise at once; institution report",
    "A26": "alerts are tagged as placement, layering or integration",
    "A27": "stars of tomorrow, and how the last list fared",
    "A28": "promotions and demotions with the reason",
    "A29": "abnormal trends of key customers, with controlled false alarms",
    "A30": "complaints: A first, then age",
    "A31": "due dates of visits to key customers",
    "A32": "basic service for C, spend capped",
    "A33": "where C costs more than A per head",
    "A34": "marketing, service and care come back with the class",
    "A35": "who owns a customer follows from its demand",
    "A36": "loyalty, seasonal and recommendation plays",
    "A38": "the segments with the best return on service cost",
    "A39": "the class code encodes and decodes without loss",
    "A40": "rules, clustering and association rules all run",
    "A44": "two definitions of one code fail the check",
    "A46": "dated versions; old codes map forward",
    "A47": "the administrator has a command each, with an audit trail",
    "A48": "leads get follow-up classes, customers service classes",
    "A49": "export in the import formats of the CRMs",
    "A50": "any report within one class",
    "B1": "why a class changed, with exact shares",
    "B7": "classes by share survive ties, with their cut-offs",
    "B12": "the points table and the SQL of a scorecard agree with the model row for row",
}

NAMED = re.compile(r"[ab]\d\d(?=_)")


RESULTS: dict[str, dict[str, str]] = defaultdict(dict)
"""Capability → test → how it ended."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that are named after a capability."""
    config.hook.pytest_deselected(items=[item for item in items if not _ids(item.name)])
    items[:] = [item for item in items if _ids(item.name)]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The worst of a test's phases counts."""
    name = report.nodeid.rpartition("::")[2].partition("@")[0]
    for each in _ids(name):
        known = RESULTS[each].get(name, "passed")
        RESULTS[each][name] = report.outcome if known == "passed" else known


def pytest_sessionfinish(session: pytest.Session) -> None:
    """It fails where a capability has no test, or one that did not pass."""
    if not hasattr(session.config, "workerinput") and len(_kept()) < len(PROMISES):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table."""
    for promise, words in PROMISES.items():
        terminalreporter.write_line(f"{promise:<4} {words}")
        tests = sorted(RESULTS.get(promise, {}).items())
        for line in [f"     {outcome:<8} {name}" for name, outcome in tests] or ["     NO TEST"]:
            terminalreporter.write_line(line)
    terminalreporter.write_line(f"{len(_kept())} of {len(PROMISES)} capabilities hold.")


def _kept() -> list[str]:
    return [promise for promise in PROMISES if set(RESULTS.get(promise, {}).values()) == {"passed"}]


def _ids(test: str) -> list[str]:
    """`test_a07_a19_channel` → A7, A19."""
    head = re.match(r"test_((?:[ab]\d\d_)+)", test)
    return [f"{each[0].upper()}{int(each[1:])}" for each in NAMED.findall(head[1])] if head else []
