"""`scoring event`: what the company's people write back of a customer, such as what a talk with it gave."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import InputError
from serving.options import HomeOption, SourceOption, open_job, out

if TYPE_CHECKING:
    from features.online import Event
    from features.tables.sources import Source

app = typer.Typer(no_args_is_help=True, help=__doc__)

CustomerArgument = Annotated[str, typer.Argument(help="the company's own id")]
KindOption = Annotated[str, typer.Option("--kind", help="what happened: contact, refusal, complaint, quote, ...")]
TsOption = Annotated[str, typer.Option("--ts", help="when, such as 2026-10-03T10:00; by default today")]
CodeOption = Annotated[str | None, typer.Option("--code", help="the reason of a refusal, the outcome of a contact")]
DueOption = Annotated[str | None, typer.Option("--due-day", help="of a contact: when the customer expects to buy")]
ChannelOption = Annotated[str | None, typer.Option("--channel", help="of a contact: representative, supervisor, phone")]
RefOption = Annotated[str | None, typer.Option("--ref", help="order or invoice number")]
AmountOption = Annotated[str | None, typer.Option("--amount", help="in the major unit, such as 12.50")]
CostOption = Annotated[str | None, typer.Option("--cost", help="in the major unit, such as 12.50")]
QuantityOption = Annotated[float | None, typer.Option("--quantity")]
ItemOption = Annotated[str | None, typer.Option("--item", help="item code")]
PartnerOption = Annotated[
    str | None, typer.Option("--counterparty", help="partner of a transfer: the company's own id")
]
CountryOption = Annotated[str | None, typer.Option("--country")]
ScoreOption = Annotated[float | None, typer.Option("--score", help="answer to a survey")]
NewOption = Annotated[bool, typer.Option("--new", help="the customer may be one of whom nothing is known yet")]
ByOption = Annotated[str | None, typer.Option("--by", help="who writes it; by default the user of this computer")]


@app.command()
def add(
    customer: CustomerArgument,
    kind: KindOption,
    source: SourceOption = "sample",
    home: HomeOption = None,
    ts: TsOption = "",
    code: CodeOption = None,
    due_day: DueOption = None,
    channel: ChannelOption = None,
    ref: RefOption = None,
    amount: AmountOption = None,
    cost: CostOption = None,
    quantity: QuantityOption = None,
    item: ItemOption = None,
    counterparty: PartnerOption = None,
    country: CountryOption = None,
    score: ScoreOption = None,
    new: NewOption = False,
    by: ByOption = None,
) -> None:
    """Write an event of a customer into the event table; the same event again changes nothing."""
    from features.tables.written import write_event
    from serving.desk import open_desk

    texts = {"code": code, "channel": channel, "ref": ref, "item": item, "counterparty": counterparty}
    with open_job(source, home) as job:
        desk, own = open_desk(job, by), job.source
        said = {
            "ts": ts or own.today().isoformat(),
            "kind": kind,
            "due_day": due_day,
            "amount": _minor("amount", amount, own),
            "cost": _minor("cost", cost, own),
            "quantity": quantity,
            "country": country,
            "score": score,
            **texts,
        }
        try:
            done = write_event(own, desk.workspace, desk.pseudonyms, desk.audit, customer, _event(said), new)
        except InputError as error:
            place = _option(error.place) if error.place in said else error.place
            raise InputError(place, error.found, error.wanted, error.cure) from None
    written = f"Written: {kind}. Features see it at dates after today."
    out.print(written if done else "It was there already: nothing has changed.")


def _event(said: dict[str, Any]) -> Event:
    """What the options say, judged as the service judges what it is sent."""
    from pydantic import ValidationError

    from features.online import Event
    from serving.schema import EventIn

    try:
        checked = EventIn.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        place = str(first["loc"][0]) if first["loc"] else "amount"
        found = f"'{said[place]}'" if place in ("kind", "ts", "due_day") else "what does not fit"
        raise InputError(place, found, first["msg"].removeprefix("Value error, ")) from None
    return Event(**{name: getattr(checked, name) for name in EventIn.model_fields})


def _minor(name: str, written: str | None, source: Source) -> int | None:
    """An amount in minor units."""
    from features.tables.rules import LARGEST_AMOUNT

    if written is None:
        return None
    try:
        units = Decimal(written).scaleb(source.decimals)
    except ArithmeticError:
        units = Decimal("NaN")
    if not units.is_finite() or abs(units) > LARGEST_AMOUNT or units != units.to_integral_value():
        raise InputError(_option(name), f"'{written}'", f"{source.currency} with at most {source.decimals} decimals")
    return int(units)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
