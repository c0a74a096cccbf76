"""What the gate found: a line per check, as a table, as Markdown, as JSON, and in a sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import isnan
from typing import Any

GATE_TAG = "gate"
AGAINST_TAG = "gate_against"
PASSED = "all checks passed"
LONGEST_VERDICT = 1_000
COLUMNS = ("task", "check", "measured", "wanted", "p", "")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    measured, low, high: with its 95 % interval (NaN: none); p: adjusted p-value of being worse (of being better, for
    the one line about that), None where no test was made; part: the slice, empty for everybody.
    """

    task: str
    check: str
    measured: float
    low: float
    high: float
    wanted: str
    passed: bool
    p: float | None = None
    part: str = ""

    def at(self, p: float, passed: bool) -> Check:
        """The check with the verdict of a test over all of its family."""
        return replace(self, p=p, passed=self.passed and passed)

    @property
    def said(self) -> str:
        """What was measured, with its interval."""
        if isnan(self.low):
            return "undefined" if isnan(self.measured) else f"{self.measured:g}"
        sign = "+" if " against " in self.check else ""
        return f"{self.measured:{sign}.4f} [{self.low:{sign}.4f}, {self.high:{sign}.4f}]"

    @property
    def row(self) -> tuple[str, ...]:
        """The cells of COLUMNS."""
        p = "" if self.p is None else f"{self.p:.3f}"
        check = f"{self.check}, {self.part}" if self.part else self.check
        return self.task, check, self.said, self.wanted, p, "ok" if self.passed else "FAILS"


@dataclass(frozen=True)
class GateReport:
    """All checks of a challenger. champion: the version that it was compared with; None when nothing was live."""

    champion: int | None
    checks: tuple[Check, ...]

    @property
    def failed(self) -> list[Check]:
        """The checks that did not pass."""
        return [check for check in self.checks if not check.passed]

    @property
    def passed(self) -> bool:
        """Whether there is something to judge, and nothing fails."""
        return bool(self.checks) and not self.failed

    @property
    def verdict(self) -> str:
        """In a sentence: PASSED, or what failed."""
        if not self.checks:
            return "no task was judged"
        rows = [check.row for check in self.failed]
        said = (
            "; ".join(f"{task}: {check} {found}, wanted {wanted}" for task, check, found, wanted, *_ in rows) or PASSED
        )
        return said if len(said) <= LONGEST_VERDICT else said[: LONGEST_VERDICT - 1] + "…"

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of COLUMNS for people: the checks that fail first, slices that pass summed up in a line a task."""
        shown = [check for check in self.checks if not (check.part and check.passed)]
        found = [check.row for check in sorted(shown, key=lambda check: check.passed)]
        for task in dict.fromkeys(check.task for check in self.checks if check.part):
            parts = [check for check in self.checks if check.part and check.task == task and check.passed]
            if parts:
                least = min(check.p if check.p is not None else 1.0 for check in parts)
                found.append((task, f"{len(parts)} slices", "not worse", parts[0].wanted, f"{least:.3f}", "ok"))
        return found

    def tags(self) -> dict[str, str]:
        """What a version carries: the verdict, and the champion that it was reached against."""
        return {GATE_TAG: self.verdict, AGAINST_TAG: "" if self.champion is None else str(self.champion)}

    def to_json(self) -> dict[str, Any]:
        """For gate.json; what is undefined is null."""
        checks = [
            {
                name: None if isinstance(value, float) and isnan(value) else value
                for name, value in asdict(check).items()
            }
            for check in self.checks
        ]
        return {"champion": self.champion, "passed": self.passed, "verdict": self.verdict, "checks": checks}

    def markdown(self) -> str:
        """A table for the description of a version; the checks that fail first."""
        rival = f"version {self.champion}" if self.champion is not None else "the baselines only: nothing was live"
        lines = [f"**Gate: {'passed' if self.passed else 'not passed'}**, against {rival}.", ""]
        lines += [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
        return "\n".join(lines + [f"| {' | '.join(map(_cell, row))} |" for row in self.rows()])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
