"""Invoices of the sample company to business customers, and how these pay them.

Each customer has a habit of paying that nobody at the company knows, prompt or late, with a heavy tail; a larger
invoice is paid a little later. Some are in trouble before they lapse: they pay later from month to month, and much of
what they ordered last they never pay. Orders are only read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.tables.clientele import DAY, Clientele, in_time

BILLED = {"representative": 0.92, "web": 0.6}
"""Share of the orders of businesses that are billed, by channel; the others are paid at once."""

TERMS = (14, 30)
"""Days until a customer's invoices fall due: each has one of these."""

TROUBLED, FADING = 0.15, 300
"""This share of the businesses that lapse is in trouble, and pays later and later for so many days before it."""

STRESS = 2.4
"""How much worse the habit has become at the end, in its standard deviations."""

UNPAID, UNPAID_AT_LAST, LAST_DAYS = 0.003, 0.5, 90
"""Share of the invoices that is never paid, by those of middling habit, and by those in trouble in its last days."""

SLOW, SLOWER = 0.07, 2.3
"""Share of the customers who pay late as a rule, and by how much their habit is worse."""

IN_PARTS = 0.05
"""Share of the invoices that is paid in two parts."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Payers:
    """How the customers pay, shape (customers,) each."""

    terms: NDArray[np.int64]  # days
    habit: Floats  # high pays late
    trouble: Floats  # the day of its trouble, after the first day; infinite: none


def billing(clients: Clientele, lines: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Tables `invoices`, `payments` and `truth/payers`, rows in order of time. lines: order, customer, minute,
    quantity, price, channel of the order lines.

    customer: position; …_at: minutes, …_on: days after the first day; money is EUR. What would be paid after the data
    end is open. `truth/payers` has who is or will be in trouble.
    """
    streams = [np.random.default_rng([seed, 40 + i]) for i in range(3)]
    payers = _payers(clients, streams[0])
    invoices = _invoices(clients, payers, lines, streams[1])
    payments = _payments(clients, payers, invoices, streams[2])
    troubled = np.flatnonzero(np.isfinite(payers.trouble))
    truth = pd.DataFrame({"customer": troubled, "trouble_on": np.ceil(payers.trouble[troubled]).astype(np.int64)})
    return {"invoices": invoices, "payments": payments, "truth/payers": truth}


def _payers(clients: Clientele, rng: np.random.Generator) -> Payers:
    n = clients.business.size
    trouble = clients.left + rng.uniform(0, 30, n)
    known = (clients.left > 0) & (trouble < clients.days + FADING)
    troubled = clients.business & known & (rng.random(n) < TROUBLED)
    habit = rng.normal(0, 0.75, n) + SLOWER * (rng.random(n) < SLOW)
    return Payers(rng.choice(TERMS, n), habit, np.where(troubled, trouble, np.inf))


def _invoices(clients: Clientele, payers: Payers, lines: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One for each billed order, within three days of it."""
    valued = lines.assign(amount=lines["quantity"] * lines["price"])
    orders = valued.groupby("order").agg({"customer": "first", "minute": "first", "channel": "first", "amount": "sum"})
    share = np.where(clients.business[orders["customer"]], orders["channel"].map(BILLED).fillna(0), 0)
    billed = orders[rng.random(len(orders)) < share]
    at = clients.office(billed["minute"].to_numpy() // DAY + rng.integers(0, 4, len(billed)), rng)
    due = at // DAY + payers.terms[billed["customer"]]
    columns = {"order_no": billed.index, "customer": billed["customer"].to_numpy(), "invoiced_at": at, "due_on": due}
    found = pd.DataFrame({**columns, "amount": billed["amount"].round(2).to_numpy()})
    return in_time(clients, found, "invoiced_at", ("invoice_no", 2_000_000))


def _payments(clients: Clientele, payers: Payers, invoices: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Of every invoice that is paid, at once or in two parts; a little of some that never are."""
    never, day = _settled(payers, invoices, rng)
    parts = rng.random(len(invoices)) < np.where(never, 0.2, IN_PARTS)
    cents = np.round(invoices["amount"].to_numpy() * 100).astype(np.int64)
    first = np.where(parts, np.maximum((cents * rng.uniform(0.3, 0.7, cents.size)).astype(np.int64), 1), cents)
    second_day = day + rng.integers(10, 46, cents.size)
    named = invoices[["invoice_no", "customer"]]
    one = named.assign(day=day, cents=first)[parts | ~never]
    other = named.assign(day=second_day, cents=cents - first)[parts & ~never & (first < cents)]
    both = pd.concat([one, other])
    both["paid_at"] = clients.office(both["day"].to_numpy(), rng)
    both["amount"] = both["cents"] / 100
    return in_time(clients, both[["invoice_no", "customer", "paid_at", "amount"]], "paid_at", ("payment_no", 3_000_000))


def _settled(
    payers: Payers, invoices: pd.DataFrame, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which invoices are never paid, and the day on which the others are: a week early or so, or very late."""
    customer, amount = invoices["customer"].to_numpy(), invoices["amount"].to_numpy()
    invoiced, due = invoices["invoiced_at"].to_numpy() // DAY, invoices["due_on"].to_numpy()
    left = payers.trouble[customer] - invoiced
    stress = STRESS * np.clip(1 - left / FADING, 0, 1)
    size = 0.15 * np.log(np.maximum(amount, 1) / 200)
    slowness = payers.habit[customer] + size + stress + rng.normal(0, 0.25, customer.size)
    late = np.minimum(np.exp(1.2 + 1.15 * slowness), 250) - 8
    unpaid = np.where(left < LAST_DAYS, UNPAID_AT_LAST, UNPAID * np.exp(payers.habit[customer]))
    return rng.random(customer.size) < unpaid, np.maximum(due + np.floor(late), invoiced + 1).astype(np.int64)
