"""A customer's history and the why of it over HTTP and on the command line, from the months as they were graded."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from features.workspace import read_json
from serving.opt_out import opt_out
from tests.serving.conftest import SAID, SLASHED, Months
from tests.serving.test_overrides import run

Scoring = Callable[..., tuple[int, str]]
Words = tuple[str, ...]


def test_b01_a_history_says_what_the_months_say(months: Months, service: httpx.Client) -> None:
    """Months, codes, classes, release and scheme; every change of the file with its shares, which add up to 1."""
    who = months.overridden
    found = service.get(f"/v1/customers/{who}/history").raise_for_status().json()
    assert found["customer_id"] == who and [each["month"] for each in found["months"]] == ["2026-09", "2026-10"]
    for each in found["months"]:
        (row,) = months.row(each["month"], who)
        assert each["code"] == row["code"] and each["as_of"] == str(row["as_of"])
        assert {name: said["code"] for name, said in each["classes"].items()} == {
            name.removeprefix("class_"): code for name, code in row.items() if name.startswith("class_")
        }
        about = read_json(months.ran.workspace.months / each["month"] / "month.json")
        assert (each["release"], each["scheme"]) == (about["release"], about["scheme"])
        changed = months.row(each["month"], who, "changes")
        assert [(c["dimension"], c["kind"], c["reason"]) for c in each["changes"]] == [
            (c["dimension"], c["kind"], c["reason"]) for c in changed
        ]
        for change, row in zip(each["changes"], changed, strict=True):
            if row["raw_before"] != row["raw_after"]:
                assert sum(change["shares"].values()) == pytest.approx(1)
                assert change["shares"]["facts"] == row["share_facts"]
            else:
                assert change["shares"] is None
    assert found["months"][1]["classes"]["value"] == {"code": "A", "raw": "C", "note": "override"}


def test_b01_why_has_the_last_months_changes_and_reasons(months: Months, service: httpx.Client) -> None:
    """Beside the overrides that count."""
    who = months.overridden
    found = service.get(f"/v1/customers/{who}/why").raise_for_status().json()
    past = service.get(f"/v1/customers/{who}/history").json()["months"]
    assert found["month"] == "2026-10" and found["changes"] == past[-1]["changes"] and found["overrides"] == []
    reasons = months.row("2026-10", who, "reasons")
    assert reasons and [(r["task"], r["rank"], r["reason"]) for r in found["reasons"]] == [
        (r["task"], r["rank"], r["reason"]) for r in reasons
    ]


def test_ids_may_have_slashes_and_be_called_history(months: Months, service: httpx.Client) -> None:
    """`a/history` is a question about a; the customer of that name is asked for with %2F, and is another one. Merged
    ids have the history of their survivor."""
    first, other = months.others[0], months.overridden
    record, past = (service.get(f"/v1/customers/{first}{end}").json() for end in ("", "/history"))
    mine, mine_past = (service.get(f"/v1/customers/{other}{end}").json() for end in ("", "/history"))
    slashed = SLASHED.replace("/", "%2F")
    assert mine_past["months"] != past["months"]
    for path, wanted, id_ in (
        ("a", record, "a"),
        ("a/history", past, "a"),
        (slashed, mine, SLASHED),
        (f"{slashed}/history", mine_past, SLASHED),
        (f"{SLASHED}/history", mine_past, SLASHED),
    ):
        answer = service.get(f"/v1/customers/{path}")
        assert answer.status_code == 200, path
        assert answer.json() == wanted | {"customer_id": id_}, path
    for path in ("history", "why", "a%2Fwhy", "nobody/history", "nobody/why", "a/history/x"):
        assert service.get(f"/v1/customers/{path}").status_code == 404, path
    assert service.get("/v1/customers//history").status_code == 422


def test_who_objects_gets_no_history(months: Months, service: httpx.Client) -> None:
    """403 for both questions from the moment of the objection, and no month has a row of it."""
    who = months.others[3]
    assert service.get(f"/v1/customers/{who}/history").status_code == 200
    opt_out(months.desk, who, ["no_profiling"], False, "", SAID)
    for question in ("history", "why"):
        answer = service.get(f"/v1/customers/{who}/{question}")
        assert answer.status_code == 403 and who not in answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert months.row("2026-09", who) == months.row("2026-10", who, "changes") == []


def test_the_questions_are_documented(service: httpx.Client) -> None:
    """Both paths with the types of what they answer."""
    document = service.get("/openapi.json").json()
    for question, shape in (("history", "CustomerHistory"), ("why", "CustomerWhy")):
        said = document["paths"][f"/v1/customers/{{customer_id}}/{question}"]["get"]["responses"]["200"]
        assert said["content"]["application/json"]["schema"]["$ref"].endswith(shape)
        assert shape in document["components"]["schemas"]


def test_b01_scoring_why_tells_a_person(months: Months, capsys: pytest.CaptureFixture[str]) -> None:
    """Every month with its code; what changed by which cause; overrides; the reasons of the scores; and no id."""
    where, who = ("--home", str(months.ran.workspace.home)), months.overridden
    said = run(capsys, "why", who, *where)
    assert "2026-09  C" in said and "2026-10  A" in said and "What moves the scores most" in said
    assert (
        "  value: C ordinary customer → A key customer\n    by its facts alone C ordinary customer, overridden" in said
    )
    assert who not in said and months.desk.pseudonyms.of(who)[:8] not in said
    one = run(capsys, "why", who, "--month", "2026-09", "--dimension", "value", *where)
    assert one.splitlines()[1:] == ["  value: C ordinary customer"]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [(("nobody-9",), "nothing of a customer"), (("C10000", "--month", "2020-01"), "2026-09, 2026-10"),
     (("C10000", "--dimension", "colour"), "one of value, lifecycle")],
)  # fmt: skip
def test_scoring_why_refuses_what_is_not_there(months: Months, scoring: Scoring, words: Words, wanted: str) -> None:
    """A letter, without the id."""
    code, error = scoring("why", *words, "--home", months.ran.workspace.home)
    assert code == 2 and wanted in error and words[0] not in error
