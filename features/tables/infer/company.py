"""What the tables tell of the company: its currency, its country, its clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from features.tables.infer.guess import Guess
from features.tables.infer.looked import Looked
from features.tables.infer.profile import Column
from features.tables.infer.roles import Part, reading
from features.tables.infer.words import COUNTRIES, CURRENCY_WORDS, LANGUAGES, NO_DECIMALS, Country, says, tokens

MOST = 0.6
"""Share of the rows from which a country is the company's own."""

Cast = tuple[Looked, dict[str, Part]]


def company(tables: Sequence[Cast]) -> dict[str, Guess]:
    """Guesses of timezone, currency and decimals."""
    home = next(_countries(tables), None)
    known = next(_currencies(tables), None)
    found: dict[str, Guess] = {}
    if home:
        country, why = home
        found["timezone"] = Guess(country.zone, "", f"{why}: is this the company's clock?")
    else:
        found["timezone"] = Guess("UTC", "", "nothing tells the company's time zone")
    if known:
        found["currency"] = Guess(known[0], known[1])
    elif home:
        found["currency"] = Guess(home[0].currency, "", home[1])
    else:
        found["currency"] = Guess("EUR", "", "nothing tells the currency")
    if found["currency"].value in NO_DECIMALS:
        found["decimals"] = Guess(0, "the currency has no smaller unit")
    return found


def _currencies(tables: Sequence[Cast]) -> Iterator[tuple[str, str]]:
    """Currencies with what tells them, the most telling first."""
    for _, parts in tables:
        if "currency" in parts:
            codes = parts["currency"].column.codes
            first = next(iter(codes), "")
            currency = _currency(first)
            if currency:
                more = (
                    f"; {len(codes) - 1} others are in the table, too, and are not told apart" if len(codes) > 1 else ""
                )
                yield currency, f"the column {parts['currency'].column.name} says so{more}"
    for looked, parts in tables:
        for column in _money(looked, parts):
            if column.number and column.number.currency:
                yield column.number.currency, f"written in the cells of {column.name}"
    for looked, parts in tables:
        for column in _money(looked, parts):
            currency = next((c for c, words in CURRENCY_WORDS.items() if says(column.name, words)), None)
            if currency:
                yield currency, f"the name {column.name} says so"


def _currency(code: str) -> str | None:
    return next((c for c, words in CURRENCY_WORDS.items() if code.lower() in words.split()), None)


def _money(looked: Looked, parts: dict[str, Part]) -> list[Column]:
    return [parts[field].column for field in ("amount", "unit_price", "cost") if field in parts]


def _countries(tables: Sequence[Cast]) -> Iterator[tuple[Country, str]]:
    """Countries with what tells them, the most telling first."""
    for looked, parts in tables:
        columns = [parts["country"].column] if "country" in parts else []
        columns += [c for c in looked.columns if says(c.name, "country land pays") and c not in columns]
        for column in columns:
            most = next(iter(column.codes), "")
            country = next((c for c in COUNTRIES if _names(c, most)), None)
            if country and column.codes[most] >= MOST * column.filled:
                yield country, f"{column.codes[most] / column.filled:.0%} of {column.name} say so"
    currency = next(_currencies(tables), ("", ""))[0]
    owners = [country for country in COUNTRIES if country.currency == currency]
    if len(owners) == 1:
        yield owners[0], f"the currency is {currency}"
    for looked, parts in tables:
        codes = {code.lower() for part in parts.values() for code in part.column.codes}
        words = codes | {token for column in looked.columns for token in tokens(column.name)}
        for code, own in LANGUAGES.items():
            if len(words & set(own.split())) >= 2:
                yield next(c for c in COUNTRIES if c.code == code), "its words are of that country's language"
        if sum("\u4e00" <= letter <= "\u9fff" for column in looked.columns for letter in column.name[:1]) >= 2:
            yield next(c for c in COUNTRIES if c.code == "CN"), "its columns have Chinese names"
        months_first = [c for c in looked.columns if (r := reading(c)) and not r.either and _american(r.format)]
        if months_first:
            yield COUNTRIES[0], f"in {months_first[0].name} the month stands before the day, as in the United States"


def _american(form: str | None) -> bool:
    return form is not None and form.startswith(("%m/%d", "%b %d", "%B %d"))


def _names(country: Country, text: str) -> bool:
    return text.upper() == country.code or "_".join(tokens(text)) in country.names.split()
