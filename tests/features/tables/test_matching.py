"""Two ids are found to be one person where they are, and nobody is taken for somebody else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.tables import people as made_up
from features.tables.matching import Match, match
from features.tables.plain import PLAIN, name, plain
from features.tables.simulate import simulate
from features.tables.sources import IDENTITY, load_source

Pairs = set[tuple[str, str]]
HOSTILE = [
    "🙂", "🙂🙂 👩‍👩‍👧", "x" * 10_000, "a " * 5_000, "Robert'); DROP TABLE people;--", '"', "''", "\x00", "a\x00b",
    "%", "_", "{}", "\ud7ff", "ﷺ", "e\u0301" * 50, "-", "@", "@.", "+", "0", "0000000", "٠١٢٣٤٥٦٧", "null", "<script>",
    "\n\t", "\\", "$1",
]  # fmt: skip


def table(*people: dict[str, str | None]) -> pa.Table:
    """People by what is known of them; customer_id p0, p1, ..."""
    columns = {key: pa.array([p.get(key) for p in people], pa.string()) for key in IDENTITY}
    return pa.table({"customer_id": [f"p{i}" for i in range(len(people))], **columns})


def person(**changes: str | None) -> dict[str, str | None]:
    """Anna Weber, with changes."""
    known = {"name": "Anna Weber", "email": "anna@post.example", "phone": "0199 3456789", "address": "Lindenstr. 5"}
    return {**known, "postcode": "00123", "city": "Altdorf", **changes}


def firm(**changes: str | None) -> dict[str, str | None]:
    """A firm, with changes."""
    return {**person(name="Weber Bau GmbH", email="info@weber.example", tax_id="DE012345678"), **changes}


def found(*people: dict[str, str | None]) -> str:
    """What is said of two people."""
    matches = match(table(*people))
    return "strong" if any(m.strong for m in matches) else "proposed" if matches else "nothing"


OTHER = {
    "email": "other@post.example",
    "phone": "0199 1111112",
    "address": "Ringweg 17",
    "postcode": "00999",
    "city": "X",
}
MOVED = {"address": "Ringweg 17", "postcode": "00999", "city": "Neustadt"}
SAME = {
    "case, accents and order": (person(name="Müller, René"), person(name="RENE MUELLER")),
    "a title": (person(), person(name="Frau Dr. Anna Weber")),
    "a second given name, with the same e-mail": (
        person(), person(**{**OTHER, "email": "ANNA@post.example"}, name="Anna Maria Weber"),
    ),
    "a slip of the pen, with the same e-mail": (
        person(), person(**{**OTHER, "email": "anna+x@post.example"}, name="Anna Webber"),
    ),
    "another way to write the telephone": (person(), person(**{**OTHER, "phone": "+49 (199) 345 67 89"})),
    "same name and birth date": (
        person(birth_date="1980-02-03"), person(**OTHER, birth_date="03.02.1980"),
    ),
    "same name and home": (person(email=None), person(phone=None, address="Linden-Straße 5", email="b@post.example")),
    "a tax number": (firm(), firm(**OTHER, name="Fa. Weber Bau", tax_id="de 012 345 678")),
}  # fmt: skip
APART = {
    "sisters with one home and telephone": (person(), person(name="Sophie Weber", email="sophie@post.example")),
    "names that differ in the last letter": (
        person(name="Jan Weber"), person(name="Jana Weber", email="jana@post.example"),
    ),
    "brother and sister of like names": (
        person(name="Julian Weber"), person(name="Julia Weber", email="j@post.example"),
    ),
    "colleagues": (person(), person(name="Paul Berger", email="paul@post.example")),
    "father and son": (
        person(birth_date="1950-01-02", email=None), person(birth_date="1980-03-04", email="a@post.example"),
    ),
    "namesakes": (person(), person(**OTHER)),
    "neighbours": (person(phone=None), person(phone=None, address="Lindenstr. 6", email="w@post.example")),
    "two firms in one building": (
        firm(), firm(name="Weber Bau & Boden GmbH", email="b@weber.example", tax_id="DE099999999"),
    ),
    "two firms of another form": (firm(tax_id=None), firm(name="Weber Bau AG", email="ag@weber.example", tax_id=None)),
    "two tax numbers": (firm(), firm(tax_id="DE099999999", email="b@weber.example")),
    "nothing known": ({"city": "Altdorf"}, {"city": "Altdorf"}),
    "nothing known but a home": (person(name=None, email=None), person(name=None, email="x@post.example")),
}  # fmt: skip
PROPOSED = {
    "a tax number with two names": (firm(), firm(**OTHER, name="Schmidt Holz AG")),
    "a slip of the pen, with the same telephone and home": (person(), person(email=None, name="Anna Webber")),
    "another family name, with the same e-mail and telephone": (person(), person(name="Anna Krüger", **MOVED)),
}


@pytest.mark.parametrize("case", SAME)
def test_who_is_the_same_is_merged(case: str) -> None:
    """A strong key, and a name that agrees however it is written."""
    assert found(*SAME[case]) == "strong"


@pytest.mark.parametrize("case", APART)
def test_who_is_not_the_same_is_left_alone(case: str) -> None:
    """Families, offices, neighbours, namesakes: not even proposed."""
    assert found(*APART[case]) == "nothing"


@pytest.mark.parametrize("case", PROPOSED)
def test_what_is_likely_is_proposed(case: str) -> None:
    """For a person to judge."""
    assert found(*PROPOSED[case]) == "proposed"


@pytest.mark.parametrize("column", ["email", "phone", "address", "postcode", "city"])
def test_what_is_missing_speaks_neither_for_nor_against(column: str) -> None:
    """The probability is that of the other columns alone, whoever lacks the value."""
    pairs = [
        (person(**{column: None}, tax_id="DE012345678"), person(tax_id="DE012345678")),
        (person(tax_id="DE012345678"), person(**{column: None}, tax_id="DE012345678")),
        (person(**{column: None}, tax_id="DE012345678"), person(**{column: None}, tax_id="DE012345678")),
    ]
    (one,), (other,), (both,) = (match(table(*pair)) for pair in pairs)
    assert one.probability == other.probability == both.probability
    assert len(one.reasons) == len(other.reasons) == len(both.reasons)


def test_a_third_id_does_not_join_two_birth_dates() -> None:
    """Father and son, and an id without a birth date that could be either: one of the two, and the other is asked."""
    people = [person(birth_date=day, email=None) for day in ("1950-01-02", None, "1980-03-04")]
    assert sorted(m.strong for m in match(table(*people))) == [False, True]


def test_a_stopgap_tells_nobody_apart() -> None:
    """The shop's own telephone and a name for everybody are no evidence."""
    nobody = [person(name="Laufkunde", email=None, address=None, postcode=None, city=None) for _ in range(60)]
    assert match(table(*nobody)) == []
    assert match(table(*[dict.fromkeys(IDENTITY, "unknown")] * 3, *[dict.fromkeys(IDENTITY, "n/a")] * 3)) == []


def planted(folder: Path, customers: int, seed: int) -> tuple[pa.Table, Pairs]:
    """The sample company's people, and the pairs of ids that are one customer."""
    simulate(folder, customers, seed)
    (mapping,) = (t.identity for t in load_source("sample").tables if t.gives == "customers")
    raw = pd.read_csv(folder / "customers.csv", dtype=str, keep_default_na=False)
    truth = pd.read_csv(folder / "truth" / "same_customer.csv", dtype=str)
    columns = {key: [cell or None for cell in raw[column]] for key, column in mapping.items()}
    return (
        pa.table({"customer_id": raw["customer_no"].tolist(), **columns}),
        {(min(pair), max(pair)) for pair in zip(truth["customer_no"], truth["same_as"], strict=True)},
    )


def pairs_of(matches: list[Match]) -> Pairs:
    return {(m.one, m.other) for m in matches}


@pytest.mark.parametrize(
    ("customers", "seeds"), [(300, range(20, 28)), (1_000, (31, 32)), (2_000, (7, 8)), (5_000, (41,))]
)
def test_the_planted_ones_are_found(customers: int, seeds: range, tmp_path: Path) -> None:
    """Of what is merged or proposed at least .98 is right, and .90 of all there are is found; at every size."""
    merged = right = said = hits = there = 0
    for seed in seeds:
        people, truth = planted(tmp_path / str(seed), customers, seed)
        matches = match(people)
        strong = pairs_of([m for m in matches if m.strong])
        merged, right = merged + len(strong), right + len(strong & truth)
        said, hits = said + len(matches), hits + len(pairs_of(matches) & truth)
        there += len(truth)
    assert right / merged >= 0.99 and right / there >= 0.7
    assert hits / said >= 0.98 and hits / there >= 0.9


def test_the_order_of_the_rows_does_not_count(tmp_path: Path) -> None:
    """The same pairs with the same probabilities, bit for bit, in whatever order people come."""
    people, _ = planted(tmp_path / "raw", 1_100, 3)
    shuffled = people.take(pa.array(pd.Series(range(people.num_rows)).sample(frac=1, random_state=5).to_numpy()))
    assert match(people) == match(shuffled)


def test_hostile_values_are_only_values(capfd: pytest.CaptureFixture[str]) -> None:
    """Emoji, 10,000 characters, quotes, NUL: nothing breaks, nobody is merged for it, nothing is printed."""
    people = [{"name": value, "email": value, "phone": value, "address": value, "tax_id": value} for value in HOSTILE]
    assert not any(m.strong for m in match(table(*people)))
    twice = [m for m in match(table(*people, *people)) if m.strong]
    assert twice and all(abs(int(m.one[1:]) - int(m.other[1:])) == len(people) for m in twice)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("columns", [[], ["name"], ["email"], ["birth_date"], ["city"], ["name", "city"], ["tax_id"]])
def test_few_columns_are_enough_or_nothing_is_said(columns: list[str], tmp_path: Path) -> None:
    """Whatever a company has of its customers; a name alone merges nobody."""
    people, truth = planted(tmp_path / "raw", 1_200, 4)
    known = people.select(["customer_id", *(column for column in columns if column in people.column_names)])
    matches = match(known)
    assert not any(m.strong for m in matches)
    assert pairs_of(matches) <= truth


@given(st.text())
def test_every_text_has_a_plain_form(text: str) -> None:
    """A text or null, never an empty one; words may be swapped; a comma does not count."""
    for _, make in PLAIN.values():
        assert make(text) is None or make(text)
    assert name(f"Anna {text}") == name(f"{text}, ANNA")


def test_plain_forms() -> None:
    """What is the same is written the same."""
    raw = table(
        {
            "name": "Dr. Jürgen Groß",
            "phone": "0049 30 1234567",
            "email": " J.Gross+Shop@A.Example ",
            "tax_id": "X 12.345",
        },
        {"name": "gross, JUERGEN", "phone": "(030) 123 45-67", "email": "j.gross@a.example", "tax_id": "x12345"},
    )
    one, other = plain(raw).to_pylist()
    assert {**one, "customer_id": ""} == {**other, "customer_id": ""}
    assert (one["name"], one["phone"], one["email"]) == ("gross jurgen", "301234567", "j.gross@a.example")


def test_a_second_number_changes_nobodys_purchases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the numbers put together again, all tables are those of a company where nobody has two."""
    _, truth = planted(tmp_path / "two", 400, 7)
    monkeypatch.setattr(made_up, "SECOND_NUMBER", 0.0)
    planted(tmp_path / "one", 400, 7)
    assert len(truth) == 12
    owner = {max(pair): min(pair) for pair in truth}
    for table_name in ("orders", "returns", "visits", "quotes", "campaigns", "entries", "service_costs"):
        one, two = (pd.read_csv(tmp_path / n / f"{table_name}.csv", dtype=str) for n in ("one", "two"))
        assert set(two["customer_no"].dropna()) & set(owner)
        pd.testing.assert_frame_equal(one, two.replace({"customer_no": owner}))


def test_no_source_reads_the_truth() -> None:
    """It is there to test with."""
    assert not any("truth" in file for each in load_source("sample").tables for file in each.files)
