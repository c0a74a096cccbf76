"""Names and contact details in a plain form, so that what is the same is written the same.

Letters lose their case and accents, and two spellings of one thing become one: `Müller` and `MUELLER`, `Bergstr. 5` and
`Berg-Straße 5`, `+49 30 1234567` and `030/123 45 67`. A value with nothing to tell is null.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

import pyarrow as pa

LONGEST = 200
"""Characters of a value that count; nobody's name is longer, and comparing takes time."""

TITLES = {"dr", "prof", "dipl", "ing", "herr", "frau", "mr", "mrs", "ms", "mme", "fa", "firma", "the"}
FORMS = set(
    "gmbh ggmbh mbh ag kg kgaa ohg gbr ug ek ev eg se co cie ltd limited llc llp plc inc corp corporation company sa "  # noqa: SIM905
    "sas sarl srl spa bv nv oy ab as aps sro spzoo".split()
)
"""Words for the legal form of a firm. `Weber` may be `Weber GmbH`; `Weber AG` is another firm."""

STOPGAPS = {"na", "nn", "null", "none", "nan", "nil", "unknown", "unbekannt", "anonymous", "test", "xx", "xxx"}
"""What is written where nothing is known."""

STREETS = {
    "strasse": "str",
    "street": "str",
    "avenue": "ave",
    "road": "rd",
    "lane": "ln",
    "platz": "pl",
    "square": "sq",
}
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "æ": "ae", "œ": "oe"})

Cell = str | None


def words(value: Cell) -> list[str]:
    """The words of a text, without case, accents and signs; ae, oe and ue are the umlauts they stand for."""
    folded = unicodedata.normalize("NFKD", (value or "")[:LONGEST].casefold()).translate(LETTERS)
    letters = "".join(c for c in folded if not unicodedata.combining(c))
    letters = re.sub(r"\b(\w)\.(?=\w\b)", r"\1", letters)  # e.K. is one word, and so is J.R.
    letters = re.sub(r"['’`´]", "", letters)
    return [re.sub(r"([aou])e", r"\1", word) for word in re.findall(r"[^\W_]+", letters)]


def name(value: Cell) -> Cell:
    """The words of a name in alphabetical order, so that given and family name may be swapped; more than a letter."""
    found = {word for word in words(value) if word not in TITLES}
    told = " ".join(sorted(found - FORMS) or sorted(found))
    return told if len(told) > 1 else None


def form(value: Cell) -> Cell:
    """The legal form that a name gives."""
    found = {word for word in words(value) if word not in TITLES}
    return " ".join(sorted(found & FORMS)) or None if found - FORMS else None


def email(value: Cell) -> Cell:
    """An address in small letters, without what stands between a plus sign and the at sign."""
    local, at, domain = (value or "").strip()[:LONGEST].casefold().rpartition("@")
    local = local.partition("+")[0]
    return f"{local}@{domain}" if local and at and "." in domain else None


def phone(value: Cell) -> Cell:
    """The last nine digits: what the ways to write country and trunk codes have in common."""
    found = re.search(r"\d[^A-Za-z]*", (value or "")[:LONGEST])
    digits = re.sub(r"\D", "", found[0]).lstrip("0") if found else ""
    return digits[-9:] if len(digits) >= 6 and len(set(digits)) > 1 else None


def address(value: Cell) -> Cell:
    """Street and number without blanks, the word for street shortened; a street without a number is no home."""
    found = "".join(re.sub(rf"({'|'.join(STREETS)})$", lambda end: STREETS[end[0]], word) for word in words(value))
    return found if re.search(r"\d", found) else None


def run(value: Cell) -> Cell:
    """All words as one."""
    return "".join(words(value)) or None


def tax_id(value: Cell) -> Cell:
    """Letters and digits; nothing shorter than five characters, and nothing without a digit."""
    found = run(value) or ""
    return found if len(found) >= 5 and re.search(r"[1-9]", found) else None


def birth_date(value: Cell) -> Cell:
    """Eight digits, the year first, where the cell says which number is the year."""
    found = re.fullmatch(r"\s*(\d{1,2})\.(\d{1,2})\.(\d{4})\s*", value or "")
    if found:
        return f"{found[3]}{int(found[2]):02d}{int(found[1]):02d}"
    digits = re.sub(r"\D", "", (value or "")[:10])
    return digits if len(digits) >= 6 else None


PLAIN: dict[str, tuple[str, Callable[[Cell], Cell]]] = {
    "name": ("name", name),
    "form": ("name", form),
    "email": ("email", email),
    "phone": ("phone", phone),
    "address": ("address", address),
    "postcode": ("postcode", run),
    "city": ("city", run),
    "tax_id": ("tax_id", tax_id),
    "birth_date": ("birth_date", birth_date),
}
"""Plain column → the column it is made from, and how."""

SHARED = ("form", "postcode", "city")
"""What many have in common, and yet is no stopgap."""


def plain(people: pa.Table) -> pa.Table:
    """The plain columns of a table of people, in the order of customer_id; a column that it lacks is null.

    A value that more than one customer in a thousand and twenty has is a stopgap (`unknown`, the shop's own telephone)
    and counts as missing. `words` are those of the name.
    """
    people = people.sort_by("customer_id")
    columns = {"customer_id": people["customer_id"].cast(pa.string())}
    for column, (source, make) in PLAIN.items():
        there = source in people.column_names
        cells: Iterable[Cell] = people[source].to_pylist() if there else [None] * people.num_rows
        made = [None if cell is None or run(cell) in STOPGAPS else make(cell) for cell in cells]
        if column not in SHARED:
            often = {v for v, many in Counter(made).items() if many > 20 + people.num_rows // 1000}
            made = [None if value in often else value for value in made]
        columns[column] = pa.array(made, pa.string())
    found = [None if value is None else value.split() for value in columns["name"].to_pylist()]
    return pa.table(columns | {"words": pa.array(found, pa.list_(pa.string()))})
