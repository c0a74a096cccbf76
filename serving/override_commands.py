"""`scoring override`: a person's word about one customer's class."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from serving.options import HomeOption, SourceOption, open_job, out

app = typer.Typer(no_args_is_help=True, help=__doc__)

CustomerArgument = Annotated[str, typer.Argument(help="the company's own id")]
DimensionOption = Annotated[str, typer.Option("--dimension", help="a dimension of the live scheme")]
ClassOption = Annotated[str, typer.Option("--class", help="the letter of the class")]
UntilOption = Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="the last day on which it counts")]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="why, without any identifier; answers and `scoring access` tell it")
]
ByOption = Annotated[str | None, typer.Option("--by", help="who decides; by default the user of this computer")]
AllOption = Annotated[bool, typer.Option("--all", help="every act, also what was lifted or has run out")]


@app.command("set")
def set_one(
    customer: CustomerArgument,
    dimension: DimensionOption,
    class_: ClassOption,
    until: UntilOption,
    reason: ReasonOption,
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """Give a customer a class until a day, whatever its facts say; the service shows it at once."""
    from serving.desk import open_desk
    from serving.overrides import Wanted, set_override

    with open_job(source, home) as job:
        live, _, store = job.live()
        wanted = Wanted(dimension, class_, until.date(), reason)
        set_override(open_desk(job, by), live.scheme, store, customer, wanted, job.source.today())
    name = live.scheme.dimensions[dimension].name_of(class_)
    out.print(
        f"{dimension} is {class_} ({name}) through {until.date()}. Gradings of dates after today count it.",
        markup=False,
    )


@app.command()
def lift(
    customer: CustomerArgument,
    dimension: DimensionOption,
    reason: ReasonOption,
    source: SourceOption = "sample",
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """Take an override back before its time."""
    from serving.desk import open_desk
    from serving.overrides import lift_override

    with open_job(source, home) as job:
        lift_override(open_desk(job, by), customer, dimension, reason, job.source.today())
    out.print(f"Lifted: {dimension} follows from the facts again.", markup=False)


@app.command("list")
def list_overrides(source: SourceOption = "sample", home: HomeOption = None, everything: AllOption = False) -> None:
    """Overrides that count today; customers by their pseudonyms, shortened."""
    from classification.decisions import read_acts, read_overrides

    with open_job(source, home) as job:
        job.report()
        acts = read_acts(job.workspace.decisions).to_pylist() if everything else []
        standing = [] if everything else read_overrides(job.workspace)
        today = job.source.today()
    for act in acts:
        said = f"{act['class']} until {act['until']}" if act["class"] else "lifted"
        _tell(act["customer_id"], act["dimension"], f"{said}  on {act['from_day']}", act["by"], act["reason"])
    holding = [each for each in standing if each.until >= today]
    for each in holding:
        _tell(each.customer_id, each.dimension, f"{each.class_} until {each.until}", each.by, each.reason)
    if not acts and not holding:
        out.print("No overrides.")


def _tell(customer: str, dimension: str, said: str, by: str, reason: str) -> None:
    out.print(f"{customer[:8]}…  {dimension} {said}  by {by}  {reason}", markup=False, soft_wrap=True)
