"""What passes between the sample company and its customers beside orders, returns and visits.

Quotes, complaints, service requests, surveys, campaigns, the entries of the company's own people, and what all this
costs. How much of it there is hangs on traits of the customer that nobody at the company knows, and on its orders: who
will buy soon says so, who complained answers surveys badly, and some small customers are visited more often than they
are worth. Orders are only read, and each table draws from a random stream of its own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.tables.clientele import DAY, Clientele, Traits, choose, draw_traits, gap, in_time, now_and_then

COMPLAINTS = {"late delivery": 0.35, "damaged goods": 0.25, "wrong goods": 0.2, "invoice": 0.2}
REQUESTS = {"advice": 0.4, "repair": 0.3, "spare part": 0.2, "installation": 0.1}
REASONS = {"price": 0.35, "no need": 0.25, "bought elsewhere": 0.15, "delivery time": 0.15, "quality": 0.1}
"""Why an offer was refused; like the others, each with its share."""

OUTCOMES = ("interested", "hesitant", "not now", "never")
OUTCOME_SHARES = np.array([[0.55, 0.25, 0.12, 0.08], [0.2, 0.3, 0.35, 0.15], [0.1, 0.25, 0.1, 0.55]])
"""What a talk comes to, by whether the customer will buy within 30 days, within 200, or not."""

VISITS = {"representative": (85, 15), "supervisor": (170, 30), "phone": (7, 2)}
"""Cost of a talk in EUR by who leads it: mean and standard deviation."""

SURVEY_MONTHS = (4, 10)


def dealings(clients: Clientele, lines: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Table → its rows in order of time. lines: order, customer, minute, quantity, price, channel of the order lines.

    customer: position; …_at: minutes, …_on: days after the first day, −1 where there is none; `quote_no` is empty
    where there is none; money is EUR.
    """
    streams = [np.random.default_rng([seed, 20 + i]) for i in range(8)]
    traits = draw_traits(clients.business, streams[0])
    valued = lines.assign(value=lines["quantity"] * lines["price"])
    orders = valued.groupby("order").agg({"customer": "first", "minute": "first", "channel": "first", "value": "sum"})
    quotes = _quotes(clients, traits, orders, streams[1])
    complaints = _complaints(clients, traits, orders, streams[2])
    requests = _requests(clients, traits, streams[3])
    entries = _entries(clients, traits, orders, quotes, streams[4])
    return {
        "quotes": quotes.drop(columns="lost"),
        "complaints": complaints,
        "service_requests": requests,
        "surveys": _surveys(clients, traits, orders, complaints, streams[5]),
        "campaigns": _campaigns(clients, traits, orders, streams[6]),
        "entries": entries,
        "service_costs": _costs(clients, traits, orders, entries, requests, streams[7]),
    }


def _quotes(clients: Clientele, traits: Traits, orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Some days before orders, a little dearer than these; and for nothing."""
    asked = orders[rng.random(len(orders)) < traits.quoted[orders["customer"]]]
    before = pd.DataFrame({"customer": asked["customer"], "amount": asked["value"]})
    before["quoted_at"] = clients.office(asked["minute"].to_numpy() // DAY - rng.integers(3, 21, len(asked)), rng)
    idle = now_and_then(clients, traits.idle_quotes, "quoted_at", rng)
    usual = orders.groupby("customer")["value"].mean().reindex(idle["customer"]).fillna(orders["value"].median())
    idle["amount"] = usual.to_numpy() * np.exp(rng.normal(0, 0.5, len(idle)))
    quotes = pd.concat([before.assign(lost=False), idle.assign(lost=True)])
    quotes["amount"] = np.round(quotes["amount"] * rng.uniform(1, 1.15, len(quotes)), 2)
    by = np.where(clients.business[quotes["customer"]], "representative", "shop")
    quotes["channel"] = np.where(rng.random(len(quotes)) < 0.4, "web", by)
    return in_time(clients, quotes, "quoted_at", ("quote_no", 300_000))


def _complaints(clients: Clientele, traits: Traits, orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Up to two weeks after an order; most are closed within three weeks, a few never."""
    hit = orders[rng.random(len(orders)) < traits.trouble[orders["customer"]]]
    day = hit["minute"].to_numpy() // DAY + rng.integers(1, 14, len(hit))
    complaints = pd.DataFrame({"customer": hit["customer"], "received_at": clients.office(day, rng)})
    closed = clients.office(complaints["received_at"].to_numpy() // DAY + 1 + rng.gamma(1.3, 8.0, len(hit)), rng)
    open_ = (rng.random(len(hit)) < 0.04) | (closed >= clients.days * DAY)
    complaints["closed_at"] = np.where(open_, -1, closed)
    complaints["about"] = choose(COMPLAINTS, len(hit), rng)
    return in_time(clients, complaints, "received_at", ("complaint_no", 700_000))


def _requests(clients: Clientele, traits: Traits, rng: np.random.Generator) -> pd.DataFrame:
    """Help asked for, and what giving it cost."""
    requests = now_and_then(clients, traits.requests, "requested_at", rng)
    requests["about"] = choose(REQUESTS, len(requests), rng)
    requests["cost"] = np.round(np.exp(rng.normal(3.2, 0.8, len(requests))), 2)
    return in_time(clients, requests, "requested_at", ("request_no", 800_000))


def _surveys(
    clients: Clientele, traits: Traits, orders: pd.DataFrame, complaints: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Twice a year those are asked who bought within a year; three in ten answer, from 1 to 10."""
    found = []
    complained = complaints.rename(columns={"received_at": "minute"})
    for survey, begin in clients.months(*SURVEY_MONTHS):
        asked = np.arange(clients.business.size)
        sent = np.full(asked.size, (begin + 14) * DAY)
        asked = asked[(gap(asked, sent, orders) < 365 * DAY) & (rng.random(asked.size) < 0.3)]
        at = clients.office(begin + 14 + rng.exponential(4, asked.size), rng)
        sore = gap(asked, at, complained) < 180 * DAY
        score = np.round(traits.content[asked] + rng.normal(0, 0.8, asked.size) - 2.5 * sore)
        found.append(pd.DataFrame({"survey": survey, "customer": asked, "answered_at": at, "score": score}))
    return in_time(clients, pd.concat(found).assign(score=lambda t: t["score"].clip(1, 10).astype(int)), "answered_at")


def _campaigns(clients: Clientele, traits: Traits, orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A mailing a month to part of those who may be sent one; who is about to buy answers more often."""
    found = []
    for month, begin in clients.months():
        sent = begin + 4
        there = clients.mail & (clients.joined <= sent) & (clients.left + 365 > sent)
        to = np.flatnonzero(there & (rng.random(there.size) < 0.35))
        at = np.full(to.size, sent * DAY + 9 * 60)
        soon = gap(to, at, orders, ahead=True) < 30 * DAY
        answered = at + 1 + rng.exponential(3 * DAY, to.size).astype(np.int64)
        said = rng.random(to.size) < traits.answering[to] * np.where(soon, 2.0, 0.7)
        answered = np.where(said & (answered < clients.days * DAY), answered, -1)
        columns = {"customer": to, "sent_at": at, "answered_at": answered}
        found.append(pd.DataFrame({"campaign": f"mailing {month}", **columns}))
    return in_time(clients, pd.concat(found), "sent_at")


def _entries(
    clients: Clientele, traits: Traits, orders: pd.DataFrame, quotes: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """What the company's people noted: talks, offers refused, new contact persons at business customers."""
    talks = _talks(clients, traits, orders, rng)
    never = talks[(talks["result"] == "never") & (rng.random(len(talks)) < 0.7)]
    lost = quotes[quotes["lost"] & (rng.random(len(quotes)) < 0.5)]
    later = clients.office(lost["quoted_at"].to_numpy() // DAY + rng.integers(5, 30, len(lost)), rng)
    refused = pd.concat([never[["customer", "entered_at", "by"]], lost[["customer", "quote_no"]]])
    refused["entered_at"] = np.concatenate([never["entered_at"], later])
    refused["by"] = refused["by"].fillna("phone")
    refused["result"] = choose(REASONS, len(refused), rng)
    moved = now_and_then(clients, np.where(clients.business, 0.22 / 365, 0.0), "entered_at", rng)
    entries = pd.concat([talks, refused.assign(type="refusal"), moved.assign(type="contact_changed")])
    entries = entries[["customer", "entered_at", "type", "by", "result", "expected_on", "quote_no"]]
    entries["quote_no"] = [f"{number:.0f}" if number > 0 else "" for number in entries["quote_no"]]
    entries["expected_on"] = entries["expected_on"].fillna(-1).astype(np.int64)
    return in_time(clients, entries.fillna({"by": "", "result": ""}), "entered_at", ("entry_no", 1_000_000))


def _talks(clients: Clientele, traits: Traits, orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Talks and what they came to. Who will not buy now may name a day, more or less the right one."""
    talks = now_and_then(clients, traits.attention, "entered_at", rng)
    called = choose({"representative": 0.55, "supervisor": 0.1, "phone": 0.35}, len(talks), rng)
    talks["by"] = np.where(clients.business[talks["customer"]], called, "phone")
    wait = gap(talks["customer"].to_numpy(), talks["entered_at"].to_numpy(), orders, ahead=True) / DAY
    shares = OUTCOME_SHARES[np.digitize(wait, [30, 200])].cumsum(axis=1)
    outcome = (rng.random((len(talks), 1)) > shares).sum(axis=1).clip(0, 3)
    talks["result"] = np.array(OUTCOMES)[outcome]
    guess = np.where(wait < 200, wait, rng.uniform(30, 200, len(talks))) * np.exp(rng.normal(0, 0.25, len(talks)))
    named = (outcome == 2) & (rng.random(len(talks)) < 0.8)
    day = talks["entered_at"] // DAY + np.maximum(np.round(guess), 1).astype(np.int64)
    return talks.assign(type="contact", expected_on=day.where(named), quote_no=np.nan)


def _costs(
    clients: Clientele,
    traits: Traits,
    orders: pd.DataFrame,
    entries: pd.DataFrame,
    requests: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """What serving costs: talks, service, and the delivery of every order that is not fetched at the shop."""
    talks = entries[entries["type"] == "contact"]
    mean, spread = (talks["by"].map({by: cost[i] for by, cost in VISITS.items()}) for i in (0, 1))
    talked = talks.rename(columns={"entered_at": "booked_at", "by": "activity"})
    talked["cost"] = np.maximum(rng.normal(mean, spread), 1)
    sent = orders[orders["channel"] != "shop"]
    delivered = pd.DataFrame({"customer": sent["customer"], "activity": "delivery"})
    delivered["cost"] = 4.5 + traits.remote[sent["customer"]] * rng.uniform(0.7, 1.3, len(sent))
    delivered["booked_at"] = clients.office(sent["minute"].to_numpy() // DAY + rng.integers(1, 4, len(sent)), rng)
    served = requests.rename(columns={"requested_at": "booked_at"}).assign(activity="service")
    columns = ["customer", "booked_at", "activity", "cost"]
    costs = pd.concat([part[columns] for part in (talked, delivered, served)])
    return in_time(clients, costs.assign(cost=costs["cost"].round(2)), "booked_at")
