"""How the sample company's systems write what its simulator draws: customer numbers, times and days."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.tables.people import Accounts

FIRST_DAY = date(2023, 11, 1)
"""The first day of the data, from which minutes and days are counted."""

Ints = NDArray[np.int64]


def numbered(customer: Ints) -> list[str]:
    """The number of each account."""
    return [f"C{10_000 + i}" for i in customer]


def dates(day: Ints) -> NDArray[np.str_]:
    """Days after the first one, as dates."""
    return (np.datetime64(FIRST_DAY) + day).astype(str)


def stamps(minute: Ints) -> NDArray[np.str_]:
    """Minutes after the start of the first day, as times."""
    return (np.datetime64(FIRST_DAY, "m") + minute).astype(str)


def exported(dealt: pd.DataFrame, accounts: Accounts) -> pd.DataFrame:
    """A table as the company writes its numbers, …_at (minutes) and …_on (days); nothing where they are below 0."""
    at = next(name for name in map(str, dealt) if name.endswith(("_at", "_on")))
    minute = dealt[at].to_numpy() * (1440 if at.endswith("_on") else 1)
    written = dealt.assign(customer=numbered(accounts.of(dealt["customer"].to_numpy(), minute)))
    for ending, write in (("_at", stamps), ("_on", dates)):
        for name in (name for name in map(str, dealt) if name.endswith(ending)):
            written[name] = np.where(dealt[name] < 0, "", write(dealt[name].to_numpy()))
    return written.rename(columns={"customer": "customer_no"})


def paid(payments: pd.DataFrame, invoices: pd.DataFrame, accounts: Accounts) -> pd.DataFrame:
    """Payments, each under the number to which its invoice was written. invoices: as `exported`."""
    billed = invoices.set_index("invoice_no")["customer_no"]
    return exported(payments, accounts).assign(customer_no=payments["invoice_no"].map(billed))


def transferred(transfers: pd.DataFrame, accounts: Accounts) -> pd.DataFrame:
    """Transfers with the numbers from_no and to_no in the place of payer and payee; nothing for a side outside."""
    written = transfers.assign(booked_at=stamps(transfers["booked_at"].to_numpy()))
    for side, column in (("payer", "from_no"), ("payee", "to_no")):
        who, customers = transfers[side].to_numpy(), accounts.second.size
        own = (who >= 0) & (who < customers)
        at = accounts.of(np.where(own, who, 0), transfers["booked_at"].to_numpy())
        written[side] = np.where(own, numbered(at), "")
        written = written.rename(columns={side: column})
    written["partner"] = [f"X{number}" if number >= 0 else "" for number in transfers["partner"]]
    return written
