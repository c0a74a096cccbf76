"""Money in a table of events: an amount, or a quantity times a price, and the cost."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from features.tables.infer.guess import Guess
from features.tables.infer.looked import Looked
from features.tables.infer.roles import Part
from features.tables.infer.words import WORDS, says

MOSTLY = 0.9
TOTAL = "total sum gesamt amount betrag montant importe importo line netto brutto net gross"


def money(looked: Looked, parts: dict[str, Part]) -> dict[str, Guess]:
    """Guesses of `amount`, `cost` and `quantity`, as far as the table has them. Prices that were taken for amounts
    change their part in `parts`."""
    _price_for_amount(parts)
    found: dict[str, Guess] = {}
    amount, price, quantity = (parts.get(field) for field in ("amount", "unit_price", "quantity"))
    if quantity and price and not (amount and _is_line_total(looked, amount, price, quantity)):
        if amount is None or _is_order_total(looked, amount, parts):
            why = "a line's amount" + ("; the other amount is the whole order's, again on each line" if amount else "")
            found["amount"] = Guess({"multiply": [quantity.column.name, price.column.name]}, why)
        else:
            unsure = f"which is what the customer pays, this or {price.column.name} × {quantity.column.name}"
            found["amount"] = Guess(amount.column.name, amount.why, unsure)
    elif amount:
        found["amount"] = _amount(looked, amount, parts, bool(price and quantity))
    elif price:
        found["amount"] = Guess(price.column.name, price.why, "a price; each row counts as one piece")
    if cost := parts.get("cost"):
        per_piece = quantity is not None and says(cost.column.name, "unit einzel per stuck stueck each piece")
        value = {"multiply": [quantity.column.name, cost.column.name]} if quantity and per_piece else cost.column.name
        found["cost"] = Guess(value, cost.why)
    if quantity:
        found["quantity"] = Guess(quantity.column.name, quantity.why)
    return found


def _price_for_amount(parts: dict[str, Part]) -> None:
    """Beside a quantity, a `price` is a piece's."""
    amount = parts.get("amount")
    if amount and "quantity" in parts and "unit_price" not in parts:
        name = amount.column.name
        if says(name, WORDS["unit_price"]) and not says(name, TOTAL):
            parts["unit_price"] = parts.pop("amount")


def _amount(looked: Looked, amount: Part, parts: dict[str, Part], is_product: bool) -> Guess:
    if is_product:
        return Guess(amount.column.name, "price × quantity on every line")
    if _is_order_total(looked, amount, parts):
        unsure = "the same on all lines of an order: is it the whole order's? Then it is counted once per line"
        return Guess(amount.column.name, amount.why, unsure)
    return Guess(amount.column.name, amount.why, "" if amount.points >= 5 or not looked.sniffed.named else "its name")


def _is_line_total(looked: Looked, amount: Part, price: Part, quantity: Part) -> bool:
    a, p, q = (looked.numbers(part.column) for part in (amount, price, quantity))
    known = np.isfinite(a) & np.isfinite(p) & np.isfinite(q) & (q != 1)
    return bool(known.any() and np.mean(np.abs(a - p * q)[known] <= 0.011 + 0.001 * np.abs(a[known])) > MOSTLY)


def _is_order_total(looked: Looked, amount: Part, parts: dict[str, Part]) -> bool:
    """Whether orders of several lines have one amount on all of them."""
    ref = parts.get("ref")
    if ref is None or ref.column.repeats < 1.2:
        return False
    table = pa.table({"ref": looked.texts(ref.column), "amount": looked.texts(amount.column)})
    orders = table.group_by("ref").aggregate([("amount", "count"), ("amount", "count_distinct")])
    lines, different = (orders[name].to_numpy() for name in ("amount_count", "amount_count_distinct"))
    several = lines > 2
    return bool(several.sum() >= 10 and np.mean(different[several] == 1) > MOSTLY)
