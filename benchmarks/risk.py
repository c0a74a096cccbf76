"""Credit, arrears and money laundering beside their baselines: `python -m benchmarks.risk [--quick] [--json]`.

Every set is read, learnt from and judged as the commands do it, without a registry; all candidates of a set answer the
same folds, or the same later cases. What is simulated (AMLSim, the sample company) says little about real laundering,
and nothing about a real company's arrears. `--quick` is the smallest of each kind, to show that everything works.
"""

from __future__ import annotations

from benchmarks import arrears_part, credit_part
from benchmarks.laundering_part import laundering
from benchmarks.report import RESULTS, Part, Target, machine, markdown, run_targets

REPEATS = 5


def measured(quick: bool) -> list[Target]:
    """All of it; in full size the page is written, too."""
    parts = _parts(quick)
    found = [target for targets, _ in parts.values() for target in targets]
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "risk.md").write_text(_page(parts, found) + "\n", encoding="utf-8")
    return found


def _parts(quick: bool) -> dict[str, Part]:
    """Title → what it gave."""
    if quick:
        return {
            "German Credit": credit_part.german(1),
            "Accounts receivable": arrears_part.receivable(),
            "Money laundering (simulated)": laundering(quick),
        }
    return {
        "Taiwan": credit_part.taiwan(),
        "German Credit": credit_part.german(REPEATS),
        "Berka's loans": credit_part.berka(),
        "Accounts receivable": arrears_part.receivable(),
        "Arrears of the sample company (simulated)": arrears_part.sample(),
        "Money laundering (simulated)": laundering(quick),
    }


def _page(parts: dict[str, Part], found: list[Target]) -> str:
    rows: list[dict[str, object]] = [
        {
            "target": each.name,
            "promised": f"{each.target} {each.unit}".strip(),
            "measured": each.measured,
            "": "holds" if each.holds else "**missed**",
        }
        for each in found
    ]
    tables = [f"## {title}\n\n{text}" for title, (_, text) in parts.items()]
    about = machine(["scikit-learn", "lightgbm", "duckdb"])
    said = "`make bench-risk`; in brackets 95 % intervals over cases. What was chosen where stands in the model cards."
    return "\n\n".join([f"# Risk\n\n{said}\n\n{about}", markdown(rows), *tables])


if __name__ == "__main__":
    run_targets(measured)
