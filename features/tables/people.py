"""Made-up people and firms for the sample company: names and contact details, of word lists of our own.

Some customers stand in the base under two numbers, with the changes that time and typing bring about. Others look alike
and are not the same: brothers and sisters at one address, firms of similar names, colleagues with one telephone.
Nobody real is meant: the postcodes, area codes, tax numbers and mail domains are ones that nobody has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SECOND_NUMBER = 0.03
"""Share of the customers who have a second number."""

GIVEN = (  # noqa: SIM905
    "Anna Lena Maria Paul Jan Jana Thomas Peter Sabine Ursula Michael Andrea Andreas Stefan Stefanie Klaus Monika "
    "Martin Martina Julia Julian Karin Petra Wolfgang Jürgen Jörg Günter Günther Heike Birgit Frank Simon Simone Lukas "
    "Leon Leonie Mia Emma Emil Emilia Felix Max Moritz Jonas Johanna Johannes Clara Karl Karla Sophie Charlotte Ben "
    "Noah Finn Elias Elisabeth Barbara Renate Helga Gisela Inge Dieter Horst Manfred Werner Uwe Ralf Rolf Bernd Gerd "
    "Gerda Daniel Daniela Gabriel Gabriele Mario Marion Nicole Nina Katharina Kathrin Katja Tanja Sonja Svenja Sven "
    "Björn Lars Nils Kai Tim Tom Till Ole Ida Frieda Greta Marlene Mathilda Pauline Luise Louis Louisa Antonia Anton "
    "Theo Oskar Jakob Samuel David Aylin Mehmet Fatma Ahmet Elif Olga Igor Natalia Piotr Agnieszka Marek Zofia Luca "
    "Giulia Marco Chiara Ana José Carmen René Céline Zoë Søren Åsa"
).split()
STEMS = (  # noqa: SIM905
    "Berg Stein Wald Eichen Linden Birken Tannen Feld Wiesen Bach Brunnen Mühl Stadt Burg Königs Bischofs Schloss "
    "Sonnen Winter Sommer Oster Nieder Ober Alten Neuen Rosen Kirsch Apfel Korn Hafer Roggen Kupfer Eisen Silber Gold"
).split()
ENDINGS = (  # noqa: SIM905
    "mann er bauer meier hofer müller schmidt huber maier becker koch vogel hahn fuchs wolf ström kamp brink"
).split()
TRADES = (  # noqa: SIM905
    "Bau Elektro Logistik Gastro Handel Technik Maler Garten Metall Holz Druck Dach Sanitär Reinigung"
).split()
FORMS = ("GmbH", "GmbH & Co. KG", "AG", "e.K.", "OHG", "KG")
STREETS = ("straße", "weg", "gasse", "allee", "platz", "ring")
TOWNS = ("stadt", "dorf", "hausen", "burg", "au", "heim")
UMLAUTS = {ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("ß"): "ss"}
CONTACTS = ("name", "email", "phone", "street", "postcode", "city", "tax_id")

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Accounts:
    """Who has a second number. second: its position, −1 for none; since: the minute from which it is used.

    Both of shape (customers,); the second numbers follow after all first ones.
    """

    second: Ints
    since: Ints

    @property
    def owners(self) -> Ints:
        """The customers with a second number, in the order of these numbers."""
        there = np.flatnonzero(self.second >= 0)
        return there[np.argsort(self.second[there])]

    def of(self, customer: Ints, minute: Ints) -> Ints:
        """The account under which a customer does something at a minute."""
        later = (self.second[customer] >= 0) & (minute >= self.since[customer])
        return np.where(later, self.second[customer], customer)


def plan_accounts(orders: pd.DataFrame, customers: int, rng: np.random.Generator) -> Accounts:
    """Second numbers for some of those who ordered twice or more, from one of their later orders on."""
    second, since = np.full(customers, -1), np.zeros(customers, np.int64)
    minutes = orders.groupby("customer")["minute"].unique()
    minutes = minutes[minutes.map(len) >= 2]
    count = min(round(SECOND_NUMBER * customers), len(minutes))
    owners = rng.choice(minutes.index.to_numpy(), count, replace=False)
    second[owners] = customers + np.arange(count)
    since[owners] = [minutes[owner][rng.integers(1, len(minutes[owner]))] for owner in owners]
    return Accounts(second, since)


def contacts(business: NDArray[np.bool_], accounts: Accounts, rng: np.random.Generator) -> pd.DataFrame:
    """CONTACTS of every account, empty where the company does not know them; the second numbers come last."""
    people = [_firm(rng) if firm else _person(rng) for firm in business]
    _look_alike(people, business, rng)
    taken: set[str] = set()
    for person, firm in zip(people, business, strict=True):
        person["email"] = _email(person, bool(firm), taken, rng)
    again = [_again(people[owner], bool(business[owner]), taken, rng) for owner in accounts.owners]
    return pd.DataFrame([_as_typed(person, rng) for person in (*people, *again)], columns=list(CONTACTS))


def refusals(accounts: Accounts, rng: np.random.Generator) -> pd.DataFrame:
    """`no_profiling` and `no_marketing` of every account, yes or no: whoever refuses does so under both numbers."""
    said = {name: rng.random(accounts.second.size) < share for name, share in _REFUSED.items()}
    return pd.DataFrame({n: np.where(np.concatenate([x, x[accounts.owners]]), "yes", "no") for n, x in said.items()})


_REFUSED = {"no_profiling": 0.01, "no_marketing": 0.03}

Person = dict[str, Any]


def _pick(words: Any, rng: np.random.Generator) -> str:
    """A word, the first ones more often than the last."""
    return str(words[int(len(words) * rng.random() ** 1.6)])


def _surname(rng: np.random.Generator) -> str:
    return _pick(STEMS, rng) + _pick(ENDINGS, rng)


def _person(rng: np.random.Generator) -> Person:
    given = _pick(GIVEN, rng)
    return {"given": given, "family": _surname(rng), "tax_id": "", "phone": _phone(rng), **_home(rng)}


def _firm(rng: np.random.Generator) -> Person:
    words = {"given": _pick(TRADES, rng), "form": _pick(FORMS, rng)}
    tax_id = f"DE0{rng.integers(10**7, 10**8)}" if rng.random() < 0.9 else ""
    return {**words, "family": _surname(rng), "tax_id": tax_id, "phone": _phone(rng), **_home(rng)}


def _home(rng: np.random.Generator) -> Person:
    town = int(rng.integers(len(STEMS) * len(TOWNS)))
    city = STEMS[town % len(STEMS)] + TOWNS[town // len(STEMS)]
    street = _pick(STEMS, rng) + _pick(STREETS, rng)
    return {"street": f"{street} {rng.integers(1, 120)}", "postcode": f"00{100 + town}", "city": city}


def _phone(rng: np.random.Generator) -> str:
    return f"0199{rng.integers(10**6, 10**7)}"


def _email(person: Person, firm: bool, taken: set[str], rng: np.random.Generator) -> str:
    """An address that nobody has yet."""
    given, family = (_letters(person[part]) for part in ("given", "family"))
    name = f"{('info', 'office')[int(rng.integers(2))]}@{family}-{given}" if firm else f"{given}.{family}"
    if not firm and rng.random() < 0.3:
        name = f"{given[0]}{family}{rng.integers(10, 99)}"
    address = f"{name}.example" if firm else f"{name}@{_pick(('post', 'mail', 'web'), rng)}.example"
    while address in taken:
        address = f"{rng.integers(2, 99)}{address}"
    taken.add(address)
    return address


def _letters(words: str) -> str:
    return "".join(c for c in words.lower().translate(UMLAUTS) if c.isascii() and c.isalpha())


def _look_alike(people: list[Person], business: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Brothers and sisters, firms of similar names in one building, colleagues who give the telephone of their work."""
    homes = ("street", "postcode", "city")
    consumers, firms = (list(rng.permutation(np.flatnonzero(x))) for x in (~business, business))
    for _ in range(len(people) // 50):
        if len(consumers) >= 5:
            a, b, c, d, e = (people[consumers.pop()] for _ in range(5))
            b |= {key: a[key] for key in ("family", *homes, *_maybe("phone", rng))}
            for colleague in (d, e):
                colleague |= {key: c[key] for key in ("phone", *homes)}
            if b["given"] == a["given"]:
                b["given"] = GIVEN[(GIVEN.index(a["given"]) + 1) % len(GIVEN)]
        if len(firms) >= 2:
            a, b = (people[firms.pop()] for _ in range(2))
            b |= {"family": a["family"]} | {
                key: a[key] for key in (*(homes if rng.random() < 0.5 else ()), *_maybe("phone", rng))
            }
            other = TRADES[(TRADES.index(a["given"]) + 1 + int(rng.integers(len(TRADES) - 1))) % len(TRADES)]
            b |= {"given": f"{a['given']} & {other}", "form": a["form"]}


def _maybe(key: str, rng: np.random.Generator) -> tuple[str, ...]:
    return (key,) if rng.random() < 0.6 else ()


def _again(person: Person, firm: bool, taken: set[str], rng: np.random.Generator) -> Person:
    """The same person, as somebody typed it in years later."""
    changed = rng.permutation([c for c, p in (("home", 0.3), ("email", 0.35), ("phone", 0.25)) if rng.random() < p])[:2]
    new = dict(person)
    if "home" in changed:
        new |= _home(rng)
    if "phone" in changed:
        new["phone"] = _phone(rng)
    if "email" in changed:
        new["email"] = _email(person, firm, taken, rng)
    if rng.random() < 0.35:
        part = "family" if firm or rng.random() < 0.5 else "given"
        new[part] = _mistyped(person[part], rng)
    if rng.random() < 0.05 and len(changed) < 2:
        new[_pick(("phone", "email", "street"), rng)] = ""
    if rng.random() < 0.1:
        new["tax_id"] = "" if rng.random() < 0.5 else _mistyped(person["tax_id"], rng)
    new["swapped"] = rng.random() < 0.25
    return new


def _mistyped(word: str, rng: np.random.Generator) -> str:
    """A letter left out, doubled, or in its neighbour's place."""
    if len(word) < 4:
        return word
    i = int(rng.integers(1, len(word) - 1))
    return (word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:], word[:i] + word[i + 1] + word[i] + word[i + 2 :])[
        int(rng.integers(3))
    ]


def _as_typed(person: Person, rng: np.random.Generator) -> list[str]:
    """CONTACTS as the one who typed them in was used to write them; a few are not known."""
    given, family, phone, street = (person[key] for key in ("given", "family", "phone", "street"))
    if "form" in person:
        name = f"Fa. {family} {given}" if person.get("swapped") else f"{family} {given} {person['form']}"
    else:
        name = f"{family}, {given}" if person.get("swapped") else f"{given} {family}"
    phone = (
        phone
        and (phone, f"+49 {phone[1:4]} {phone[4:]}", f"{phone[:4]}/{phone[4:7]} {phone[7:]}")[int(rng.integers(3))]
    )
    street = street.replace("straße", "str.") if rng.random() < 0.4 else street
    name = name.upper() if rng.random() < 0.1 else name
    unknown = rng.random(2) < (0.08, 0.12)
    email = "" if unknown[0] else person["email"]
    return [name, email, "" if unknown[1] else phone, street, person["postcode"], person["city"], person["tax_id"]]
