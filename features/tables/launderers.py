"""Customers of the sample company who launder money, and what its own people noted of them: planted for tests.

Nobody at the company knows who they are. Of those whose episode is over for some time a part was reported; a few
innocents were, too, or have the name of somebody on a list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.tables.clientele import DAY, Clientele, in_time
from features.tables.flows import MOVES, Holders, awake
from features.tables.typologies import TYPOLOGIES, Case, Move, Typology

SHARE = 0.012
"""Of all customers, rounded down: the principals. Their helpers come on top."""

RECENT, RECENT_DAYS, EARLIER_DAYS = 0.8, (1, 110), (185, 280)
"""Four episodes in five end in the last days before the end of the data, the others earlier in the last year."""

YEAR, SLEPT = 365, (190, 300)
"""Days for which a principal had its account before; for which an account slept that is then active."""

REPORTED, REFUSED, INNOCENT_HITS, FALSE_ALARMS = 0.7, 0.15, 0.004, 0.002
"""Share of the principals of old episodes who are reported, and of all who refuse due diligence; of all customers with
the name of somebody on a list, and wrongly reported or asked in vain."""

CODES = {"list_hit": "similar name", "suspicious_report": "unusual movements", "due_diligence_refused": "no answer"}


@dataclass(frozen=True)
class Planted:
    """One episode: what moved, in EUR, and the typology it is one of."""

    typology: Typology
    case: Case
    moves: tuple[Move, ...]

    @property
    def span(self) -> tuple[int, int]:
        """Its first and its last day."""
        days = [int(move[0]) for move in self.moves]
        return min(days), max(days)


def plant(holders: Holders, able: NDArray[np.bool_], days: int, rng: np.random.Generator) -> list[Planted]:
    """Episodes of principals out of the `able` (customers,) whose accounts are open for long and to the end."""
    old = able & (holders.opened < days - 2 * YEAR) & (holders.closed >= days)
    free = list(rng.permutation(holders.those(old)))
    found: list[Planted] = []
    for i in range(int(SHARE * able.size)):
        typology = TYPOLOGIES[i % len(TYPOLOGIES)]
        helpers = int(rng.integers(typology.helpers[0], typology.helpers[1] + 1))
        if len(free) <= helpers:
            break
        tills = [at for at, who in enumerate(free) if typology.cash and holders.till[who]]
        principal = free.pop(tills[0] if tills else -1)
        others = tuple(int(free.pop()) for _ in range(helpers))
        case = Case(int(principal), others, *_when(holders, days, typology, rng))
        found.append(Planted(typology, case, tuple(typology.moves(case, rng))))
    return found


def _when(
    holders: Holders, days: int, typology: Typology, rng: np.random.Generator
) -> tuple[NDArray[np.int64], float, float]:
    """The partners outside, the first day and the length of an episode."""
    outside = rng.choice(np.arange(holders.opened.size, holders.parties), 25, replace=False)
    last = days - 4 - rng.uniform(*(RECENT_DAYS if rng.random() < RECENT else EARLIER_DAYS))
    length = float(rng.uniform(*typology.days))
    return outside, float(np.floor(last - length)), length


def laundered(moves: pd.DataFrame, planted: list[Planted], rng: np.random.Generator) -> pd.DataFrame:
    """The ordinary MOVES, without those on accounts that are to sleep, and those of the episodes."""
    sleepers = [each.case for each in planted if each.typology.sleeps]
    slept = rng.uniform(*SLEPT, len(sleepers))
    begin = np.array([case.begin for case in sleepers]) - slept
    moves = awake(moves, np.array([case.principal for case in sleepers], np.int64), begin, slept)
    rows = [(payer, payee, int(day * DAY), max(amount, 0.01), channel) for each in planted
            for day, payer, payee, amount, channel in each.moves]  # fmt: skip
    return pd.concat([moves, pd.DataFrame(rows, columns=MOVES)]) if rows else moves


def truth(planted: list[Planted]) -> pd.DataFrame:
    """customer (position), typology, stage, role (principal or helper), first_on and last_on (days) of every one."""
    rows = [
        (who, each.typology.name, each.typology.stage, "helper" if i else "principal", *each.span)
        for each in planted
        for i, who in enumerate((each.case.principal, *each.case.helpers))
    ]
    found = pd.DataFrame(rows, columns=["customer", "typology", "stage", "role", "first_on", "last_on"])
    return found.astype(dict.fromkeys(("customer", "first_on", "last_on"), np.int64))


def noted(clients: Clientele, planted: list[Planted], rng: np.random.Generator) -> pd.DataFrame:
    """customer, noted_at, what, code: what the company's people wrote of the guilty, and of some innocents."""
    n = clients.business.size
    rows: list[tuple[int, float, str]] = []
    for each in planted:
        after = each.span[1] + rng.uniform(14, 50)
        if rng.random() < REPORTED and each.span[1] < clients.days - 60:
            rows.append((each.case.principal, after, "suspicious_report"))
        if rng.random() < REFUSED:
            rows.append((each.case.principal, after + rng.uniform(0, 20), "due_diligence_refused"))
    for what, share in (
        ("list_hit", INNOCENT_HITS), ("suspicious_report", FALSE_ALARMS), ("due_diligence_refused", FALSE_ALARMS)
    ):  # fmt: skip
        for who in rng.permutation(n)[: round(share * n)]:
            rows.append((int(who), rng.uniform(max(clients.joined[who], 0), clients.days), what))
    entries = pd.DataFrame(rows, columns=["customer", "noted_at", "what"]).astype({"customer": np.int64})
    entries["noted_at"] = clients.office(entries["noted_at"].to_numpy(float), rng)
    entries["code"] = entries["what"].map(CODES)
    return in_time(clients, entries, "noted_at", ("entry_no", 4_000_000))
