"""Events that people write by hand: a table of its own, whose lines a run takes in like those of any other.

The lines are kept in the vault, so that reading every file afresh loses none; they have pseudonyms in the place of ids,
and the way back lies beside them, so that who is forgotten is forgotten there as in every other entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa

from features.calendar import zone
from features.tables.chunks import Chunk, chunk_of
from features.tables.privacy import Pseudonyms
from features.tables.rules import CONFLICT, LATER_RULES
from features.tables.run import Run
from features.tables.sources import HAND, EventTable, KindRule, Source
from features.tables.vault import Vault

if TYPE_CHECKING:
    from features.online import Event

LINES, NAMES = "written/lines", "written/names"
CELLS = (
    "customer",
    "counterparty",
    "known_at",
    "ts",
    "kind",
    "event_id",
    "ref",
    "amount",
    "cost",
    "quantity",
    "item",
    "channel",
    "country",
    "due_day",
    "code",
    "score",
)
IDS = ("customer", "counterparty")
TIMES = ("known_at", "due_day")
KEPT = pa.schema([pa.field({"customer": "customer_id"}.get(name, name), pa.string()) for name in CELLS])
WAYS_BACK = pa.schema([pa.field("customer_id", pa.string()), pa.field("id", pa.string())])

Line = Mapping[str, str | None]
"""The cells of a line, as text: times in ISO 8601, amounts in the major unit."""


def line_of(customer: str, event: Event, known_at: datetime, timezone: str, decimals: int) -> Line:
    """What was written of a customer, as a line. customer: the company's own id, and so is the counterparty; timezone,
    decimals: of the company and its currency."""
    said = {
        "customer": customer,
        "counterparty": event.counterparty,
        "known_at": known_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "ts": _written(event.ts, timezone),
        "amount": _major(event.amount, decimals),
        "cost": _major(event.cost, decimals),
    }
    others = {name: getattr(event, name) for name in CELLS if name not in said}
    return said | {name: None if cell is None else str(cell) for name, cell in others.items()}


def take_lines(run: Run, lines: Sequence[Line]) -> None:
    """Hand lines to a run of `source_by_hand`."""
    (table,) = (each for each in run.source.tables if each.name == HAND)
    run.take(table, _chunk(lines), [HAND] * len(lines), "missing-amount")  # not every kind has one


def source_by_hand(source: Source, lines: Sequence[Line], again: bool = False) -> Source:
    """The source with one table more, that of `lines`.

    What the source file lets pass, passes here, too. again: they were accepted once, so that no rule about what other
    lines say is put to them anew.
    """
    rules = {rule: severity for rule, severity in source.rules.items() if severity == "keep"}
    if again:
        rules |= {rule.id: "keep" for rule in LATER_RULES if rule is not CONFLICT}
    return source.model_copy(update={"tables": (*source.tables, _table(lines)), "rules": rules, "unreadable": 1.0})


def keep(vault: Vault, pseudonyms: Pseudonyms, lines: Sequence[Line]) -> None:
    """Add lines to those in the vault."""
    names = {cell: pseudonyms.of(cell) for line in lines for name in IDS if (cell := line[name]) is not None}
    columns = [[_named(names, name, line[name]) for line in lines] for name in CELLS]
    vault.append(LINES, pa.table(columns, schema=KEPT))
    known = vault.read(NAMES)["customer_id"].to_pylist() if vault.path(NAMES).exists() else []
    new = sorted((name, id_) for id_, name in names.items() if name not in known)
    if new:
        vault.append(NAMES, pa.table(list(zip(*new, strict=True)), schema=WAYS_BACK))


def kept_lines(vault: Vault) -> list[Line]:
    """The lines in the vault, in the order in which they were written, with the company's own ids."""
    if not vault.path(LINES).exists():
        return []
    ways = vault.read(NAMES)
    ids = dict(zip(ways["customer_id"].to_pylist(), ways["id"].to_pylist(), strict=True))
    lines = vault.read(LINES).rename_columns(list(CELLS)).to_pylist()
    return [line | {name: ids.get(line[name]) for name in IDS} for line in sorted(lines, key=known_at)]


def known_at(line: Line) -> datetime:
    """When a line was written."""
    return datetime.fromisoformat(str(line["known_at"]))


def _table(lines: Sequence[Line]) -> EventTable:
    """How the lines read: of CELLS those that any of them has."""
    *others, last = sorted({str(line["kind"]) for line in lines})
    rules = [{"is": kind, "when": {"kind": {"any_of": (kind,)}}} for kind in others]
    kind = tuple(map(KindRule.model_validate, [*rules, {"is": last}]))
    given = [name for name in CELLS if any(line[name] is not None for line in lines)]
    said = {name: {"column": name} if name in TIMES else name for name in given if name not in ("ts", "kind")}
    own = {"name": HAND, "gives": "events", "files": (HAND,), "time": {"column": "ts"}, "kind": kind}
    return EventTable.model_validate(own | said)


def _chunk(lines: Sequence[Line]) -> Chunk:
    columns = {name: pa.array([line[name] for line in lines], pa.string()) for name in CELLS}
    return chunk_of(pa.table(columns), pa.array(range(1, len(lines) + 1), pa.int64()))


def _named(names: Mapping[str, str], name: str, cell: str | None) -> str | None:
    return names[cell] if name in IDS and cell is not None else cell


def _written(ts: datetime, timezone: str) -> str:
    """A time without an offset is the company's; one at its midnight says the day only."""
    own = ts.astimezone(zone(timezone)) if ts.tzinfo else ts
    if own.time() == datetime.min.time():
        return own.date().isoformat()
    return ts.astimezone(UTC).isoformat() if ts.tzinfo else ts.isoformat()


def _major(amount: int | None, decimals: int) -> str | None:
    return None if amount is None else f"{Decimal(amount).scaleb(-decimals):f}"
