"""What the service takes and gives: the types are the documentation."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from classification.playbook import Action, ClassPlay, Owner, Programme, Visits
from features.tables.events import KINDS
from features.tables.privacy import BLANKS
from features.tables.rules import LARGEST_AMOUNT, LARGEST_NUMBER

MOST_EVENTS = 10_000
MOST_ATTRIBUTES = 200
MOST_REASONS = 20
LONGEST_TEXT = 200
FIRST_YEAR, LAST_YEAR = 1900, 2199

D = TypeVar("D", date, datetime)


def _without_blanks(value: object) -> object:
    return value.strip(BLANKS) if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT), BeforeValidator(_without_blanks)]
Units = Annotated[int, Field(strict=True, ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT, description="minor currency units")]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"one of {', '.join(KINDS)}")
    return kind


def _thinkable(value: D) -> D:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"a year from {FIRST_YEAR} to {LAST_YEAR}")
    return value


Instant = Annotated[datetime, AfterValidator(_thinkable)]
Day = Annotated[date, AfterValidator(_thinkable)]


class Body(BaseModel):
    """Base of what the service takes: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EventIn(Body):
    """One event of the customer. A time without an offset is in the company's time zone."""

    ts: Instant
    kind: Annotated[Text, AfterValidator(_known_kind)]
    event_id: Text | None = Field(None, description="repeated ids are one event; by default a digest of the event")
    ref: Text | None = Field(None, description="order or invoice number")
    amount: Units | None = Field(None, description="minor currency units; a return's is 0 or less")
    cost: Units | None = None
    quantity: Number | None = None
    item: Text | None = None
    channel: Text | None = None
    counterparty: Text | None = None
    country: Text | None = None
    due_day: Day | None = None
    code: Text | None = None
    score: Number | None = None
    known_at: Instant | None = Field(None, description="when the company learnt of it; by default `ts`")
    known_until: Instant | None = Field(None, description="when another event replaced it")

    @model_validator(mode="after")
    def _signs(self) -> EventIn:
        if self.amount is not None and self.kind == "purchase" and self.amount < 0:
            raise ValueError("amount of a purchase must be 0 or more")
        if self.amount is not None and self.kind == "return" and self.amount > 0:
            raise ValueError("amount of a return must be 0 or less")
        return self


class ScoreRequest(Body):
    """A customer by the company's own id, with all its events; the service keeps none of it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C10001",
                    "as_of": "2026-11-01",
                    "attributes": {"region": "south"},
                    "events": [
                        {
                            "ts": "2026-03-02T10:15:00",
                            "kind": "purchase",
                            "ref": "100001",
                            "amount": 12990,
                            "item": "PA01",
                        },
                        {
                            "ts": "2026-09-14T16:40:00",
                            "kind": "purchase",
                            "ref": "100377",
                            "amount": 4550,
                            "item": "TO07",
                        },
                        {
                            "ts": "2026-09-20T09:00:00",
                            "kind": "return",
                            "ref": "100377",
                            "amount": -1500,
                            "item": "TO07",
                        },
                    ],
                }
            ]
        },
    )

    customer_id: Text
    as_of: Day | None = Field(None, description="events before this day count; by default tomorrow: all up to now")
    attributes: dict[Text, Text | None] = Field({}, max_length=MOST_ATTRIBUTES)
    events: list[EventIn] = Field(max_length=MOST_EVENTS)


class EventsRequest(Body):
    """What happened to a customer, to be kept. as_of: of the score that is answered.

    An event whose `event_id` is there already is the same event; without an id it gets a digest of what it says.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C10001",
                    "events": [
                        {
                            "event_id": "shop-7781",
                            "ts": "2026-11-20T10:15:00",
                            "kind": "purchase",
                            "ref": "100912",
                            "amount": 8990,
                            "item": "PA01",
                        }
                    ],
                }
            ]
        },
    )

    customer_id: Text
    as_of: Day | None = Field(None, description="by default the day after the last event became known")
    events: list[EventIn] = Field(min_length=1, max_length=MOST_EVENTS)


class CustomerLine(Body):
    """A line of a batch: a stored customer."""

    customer_id: Text
    as_of: Day | None = None


class Reason(BaseModel):
    """A feature that moves a score: how much it adds to the task's own additive score, the log-odds or the logarithm of
    an amount (exact TreeSHAP for trees), and the same in words."""

    feature: str
    value: float | None
    contribution: float
    reason: str


class Kept(BaseModel):
    """What became of events that were sent."""

    new: int
    repeated: int


class Score(BaseModel):
    """A model's answer. null: the question is not asked of this customer, or the task was skipped."""

    value: float | None
    unit: str
    percentile: float | None = Field(description="0 to 100, within the base of the grading snapshot")
    rung: str = Field(description="how the task is answered: lightgbm, btyd, rfm, or rules (no model, no score)")


class CustomerClass(BaseModel):
    """A class in one dimension. at_least: the cut-off that this class begins at, where it is a share of the base (at
    most, where the lowest come first); raw: the class by today's facts alone; note: why it is another: held (not yet
    sure), illegal (cannot follow the class before), override (a person's word)."""

    code: str
    name: str
    at_least: float | None = None
    raw: str
    note: str | None = None


class OverrideOut(BaseModel):
    """A person's word about a class, which counts through the day `until` whatever the facts say."""

    model_config = ConfigDict(populate_by_name=True)

    dimension: str
    class_: str = Field(alias="class")
    until: date
    by: str
    reason: str


class Version(BaseModel):
    """The live set an answer comes from: one release and one grading snapshot."""

    release: str
    version: int
    scheme: str
    snapshot: str
    graded_at: date


class Discount(BaseModel):
    """The price tier; in percent of the list price. Which class gives it is in `because.discount`."""

    tier: str
    percent: float


class CustomerPlay(BaseModel):
    """What to do for a customer: the plays of its classes made one (`classification.plays` says how).

    because: owner, discount, action, visits, cap → the class that says so, as in `value=A`, or `everyone`.
    """

    playbook: str = Field(description="version of the playbook")
    owner: Owner = Field(description="whose the customer is")
    discount: Discount
    service: list[str]
    marketing: list[str] = Field(description="none for who objects to it")
    care: list[str]
    needs: list[str] = Field(description="what customers of its industry need")
    programmes: dict[Programme, str] = Field(description="loyalty and the like; none for who objects to marketing")
    action: Action | None = Field(description="what to do next, by the intent to buy, and what to record of it")
    visits: Visits | None = Field(description="days between two visits")
    cap: int | None = Field(description="most that serving it may cost in 365 days, in minor currency units")
    because: dict[str, str]


class ClassPlayOut(BaseModel):
    """What the playbook says of one class by itself."""

    playbook: str
    dimension: str
    code: str
    name: str
    play: ClassPlay


class CustomerScore(BaseModel):
    """Scores, percentiles, standing, classes, class code and play of one customer, and what they come from."""

    customer_id: str
    as_of: date
    scores: dict[str, Score]
    standing: dict[str, float | None] = Field(description="population features: where it stands in the snapshot's base")
    classes: dict[str, CustomerClass]
    code: str
    overrides: list[OverrideOut] = Field(description="what persons decided about classes and still counts")
    no_marketing: bool = Field(description="the customer objects to marketing")
    play: CustomerPlay | None = Field(description="what to do for it; null where no playbook fits the scheme")
    live: Version
    reasons: dict[str, list[Reason]] | None = Field(
        None, description="with ?reasons=k: task → the k features that move its score most, the largest first"
    )


class KeptScore(CustomerScore):
    """The score after the events that were sent."""

    kept: Kept


class Rung(BaseModel):
    """Where a task stands on the ladder, and what is missing for the rung above; empty at the top."""

    name: str
    missing: str


class ReleaseOut(BaseModel):
    """What is live, and what the data did not allow."""

    live: Version
    source: str
    tasks: list[str]
    rungs: dict[str, Rung]
    skipped: dict[str, str]
    horizon_days: int
    tested_at: date
    trained_through: date
    features: str


class Health(BaseModel):
    """Whether the service can answer."""

    status: str
    live: Version | None = None
    stale: datetime | None = Field(None, description="since when something newer cannot be taken; the log says why")


class Problem(BaseModel):
    """What is wrong with a request; RFC 9457. errors: place in the request → what was wanted."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: list[dict[str, Any]] = []
