"""How money is laundered on payment accounts, as episodes of made-up movements: a typology is a row of TYPOLOGIES.

The patterns are those that the field names; counts and amounts are drawn so that an episode looks like its typology and
is not absurd beside ordinary life.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.tables.flows import NOBODY

Move = tuple[float, int, int, float, str]
"""Day after the first, payer, payee, EUR, channel."""

THRESHOLD = 10_000
"""EUR: cash of so much is reported."""


@dataclass(frozen=True)
class Case:
    """Who launders, from which day on for how many days; helpers: other customers; outside: partners used for it."""

    principal: int
    helpers: tuple[int, ...]
    outside: NDArray[np.int64]
    begin: float
    days: float


Moves = Callable[[Case, np.random.Generator], list[Move]]


@dataclass(frozen=True)
class Typology:
    """stage: of laundering; helpers: least and most of them; days: shortest and longest episode; cash: best behind a
    till; abroad: its partners are in other countries; sleeps: the account was silent before."""

    name: str
    stage: str
    helpers: tuple[int, int]
    days: tuple[int, int]
    moves: Moves
    cash: bool = False
    abroad: bool = False
    sleeps: bool = False


def _sum(low: float, high: float, rng: np.random.Generator, round_share: float = 0.3) -> float:
    """An amount, sometimes a multiple of 500."""
    amount = float(rng.uniform(low, high))
    return amount // 500 * 500.0 if rng.random() < round_share and low > 1_000 else round(amount, 2)


def _fan_in(case: Case, rng: np.random.Generator) -> list[Move]:
    """Many pay in a little once or twice; most of it goes on to one partner."""
    senders = [*case.helpers, *case.outside[1 : rng.integers(13, 24)]]
    moves: list[Move] = []
    for sender in senders:
        for _ in range(rng.integers(1, 3)):
            moves.append((case.begin + rng.uniform(0, 0.85) * case.days, int(sender), case.principal,
                          _sum(700, 3_800, rng), "transfer"))  # fmt: skip
    return moves + _onward(case, moves, int(rng.integers(2, 5)), rng)


def _onward(case: Case, moves: list[Move], parts: int, rng: np.random.Generator) -> list[Move]:
    """Most of what came in leaves in some parts, each after a share of it came."""
    came = sorted(moves)
    found: list[Move] = []
    for part in np.array_split(np.arange(len(came)), parts):
        amount = sum(came[i][3] for i in part) * rng.uniform(0.85, 0.96)
        day = came[part[-1]][0] + rng.uniform(0.2, 2.5)
        found.append((day, case.principal, int(case.outside[0]), round(amount, 2), "transfer"))
    return found


def _fan_out(case: Case, rng: np.random.Generator) -> list[Move]:
    """One or two large sums in, which go out to many."""
    receivers = [*case.helpers, *case.outside[2 : rng.integers(14, 25)]]
    outs: list[Move] = []
    for receiver in receivers:
        for _ in range(rng.integers(1, 3)):
            outs.append((case.begin + rng.uniform(0.15, 1) * case.days, case.principal, int(receiver),
                         _sum(700, 4_200, rng), "transfer"))  # fmt: skip
    total = sum(move[3] for move in outs) * rng.uniform(1.03, 1.12)
    share = rng.uniform(0.35, 0.65)
    return [
        (case.begin + rng.uniform(0, 0.1) * case.days, int(case.outside[0]), case.principal, round(total * share, 2),
         "transfer"),
        (case.begin + rng.uniform(0.1, 0.15) * case.days, int(case.outside[1]), case.principal,
         round(total * (1 - share), 2), "transfer"),
        *outs,
    ]  # fmt: skip


def _cycle(case: Case, rng: np.random.Generator) -> list[Move]:
    """A sum goes from account to account and comes back a little smaller, two or three times."""
    ring = [case.principal, *case.helpers]
    hops = len(ring) * int(rng.integers(2, 4))
    gaps = rng.uniform(0.5, 1.5, hops)
    days = case.begin + np.cumsum(gaps) / gaps.sum() * case.days
    amount, moves = _sum(7_000, 35_000, rng), list[Move]()
    for hop, day in enumerate(days):
        payer, payee = ring[hop % len(ring)], ring[(hop + 1) % len(ring)]
        moves.append((float(day), payer, payee, round(amount, 2), "transfer"))
        amount *= rng.uniform(0.965, 0.995)
    return moves


def _pass_through(case: Case, rng: np.random.Generator) -> list[Move]:
    """What comes in leaves within three days, but for a small fee."""
    moves: list[Move] = []
    for day in np.sort(rng.uniform(0, case.days - 3, rng.integers(7, 14))):
        amount = _sum(3_500, 14_000, rng)
        source, target = rng.choice(case.outside[:4], 2, replace=False)
        moves.append((case.begin + day, int(source), case.principal, amount, "transfer"))
        moves.append((case.begin + day + rng.uniform(0.3, 3), case.principal, int(target),
                      round(amount * rng.uniform(0.92, 0.99), 2), "transfer"))  # fmt: skip
    return moves


def _structuring(case: Case, rng: np.random.Generator) -> list[Move]:
    """Cash in, each time just below the threshold; the money goes on."""
    days = case.begin + np.sort(rng.uniform(0, 0.9, rng.integers(9, 19))) * case.days
    cash = [(float(day), NOBODY, case.principal, _sum(0.9 * THRESHOLD, 0.998 * THRESHOLD, rng), "cash") for day in days]
    return cash + _onward(case, cash, int(rng.integers(3, 6)), rng)


def _rapid(case: Case, rng: np.random.Generator) -> list[Move]:
    """A large sum comes in and is gone within hours, in parts, by day or by night."""
    moves: list[Move] = []
    for burst in case.begin + np.sort(rng.uniform(0, case.days - 1, rng.integers(5, 10))):
        start = np.floor(burst) + rng.uniform(0, 0.6)
        amount, parts = _sum(8_000, 28_000, rng), int(rng.integers(2, 5))
        moves.append((start, int(rng.choice(case.outside[:3])), case.principal, amount, "transfer"))
        shares = rng.dirichlet(np.full(parts, 6.0)) * rng.uniform(0.93, 0.99)
        for share, hours in zip(shares, np.sort(rng.uniform(0.5, 8, parts)), strict=True):
            to = int(rng.choice(case.outside[3:8]))
            moves.append((start + hours / 24, case.principal, to, round(amount * share, 2), "transfer"))
    return moves


def _round_trip(case: Case, rng: np.random.Generator) -> list[Move]:
    """Money goes abroad and comes back from there as if it were another's: a loan, a sale."""
    trips = int(rng.integers(2, 5))
    moves: list[Move] = []
    for trip in range(trips):
        day, amount = case.begin + trip * case.days / trips, _sum(12_000, 55_000, rng)
        abroad, away = int(case.outside[trip % 2]), rng.uniform(0.4, 0.9) * case.days / trips
        moves.append((day, case.principal, abroad, amount, "transfer"))
        moves.append((day + away, abroad, case.principal, round(amount * rng.uniform(0.95, 1.02), 2), "transfer"))
    return moves


def _awakened(case: Case, rng: np.random.Generator) -> list[Move]:
    """An account that slept takes and gives large sums."""
    ins = [
        (case.begin + float(day), int(rng.choice(case.outside[:5])), case.principal, _sum(4_000, 18_000, rng),
         "transfer")
        for day in (0.0, *np.sort(rng.uniform(1, 0.9 * case.days, rng.integers(5, 11))))
    ]  # fmt: skip
    return ins + _onward(case, ins, int(rng.integers(3, 6)), rng)


TYPOLOGIES = (
    Typology("fan-in", "placement", (2, 5), (20, 40), _fan_in),
    Typology("structuring", "placement", (0, 0), (25, 45), _structuring, cash=True),
    Typology("cycle", "layering", (2, 5), (12, 30), _cycle),
    Typology("pass-through", "layering", (0, 0), (30, 50), _pass_through),
    Typology("fan-out", "layering", (1, 4), (15, 30), _fan_out),
    Typology("rapid movement", "layering", (0, 0), (20, 40), _rapid),
    Typology("round trip", "integration", (0, 0), (45, 80), _round_trip, abroad=True),
    Typology("dormant then active", "integration", (0, 0), (20, 40), _awakened, sleeps=True),
)
"""In the order in which a company gets them, again from the first on."""
