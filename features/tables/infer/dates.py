"""In which way the cells of a column are to be read as times."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

LOOKED_AT = 5_000
"""So many different days are read."""
ALMOST_ALL = 0.98
YEARS = range(1900, 2101)

ISO_DAY = "%Y-%m-%d"
DAYS = (
    ISO_DAY, "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y",
    "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%y%m%d", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y",
    "%d %B %Y", "%B %d, %Y", "%Y年%m月%d日",
)  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M", " %H.%M",
          " %H:%M:%S %z", " %H:%M:%S %Z")  # fmt: skip
SWAPPED = {day: day.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m") for day in DAYS if "%b" not in day}

_LETTERS = {
    "%Y": r"\d{4}", "%y": r"\d\d", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%b": r"[A-Za-z]{3}", "%B": r"[A-Za-z]{3,9}",
    "%H": r"\d{1,2}", "%I": r"\d{1,2}", "%M": r"\d\d", "%S": r"\d\d", "%f": r"\d{1,6}", "%p": r"[AaPp][Mm]",
    "%z": r"[+-]\d\d:?\d\d", "%Z": "UTC|GMT",
}  # fmt: skip
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")


@dataclass(frozen=True)
class Reading:
    """format: as `Time.format` of a source file; share: of the cells that it reads; first, last: the outermost days;
    either: another format reads as many cells; weak: as likely a number that is no time; firsts: all days are the first
    of a month."""

    format: str | None
    share: float
    first: datetime
    last: datetime
    either: str | None = None
    weak: bool = False
    firsts: bool = False


def readings(texts: dict[str, int]) -> tuple[Reading, ...]:
    """The ways to read cells (text → how often) as times, the best first; empty for none that reads almost all."""
    if not texts:
        return ()
    some = list(texts)[:: -(-len(texts) // 200)]
    found = [reading for form in _formats(some) if (reading := _read(texts, form))]
    found += _counts(texts)
    found.sort(key=lambda reading: -reading.share)
    return _either(found)


def _formats(some: list[str]) -> list[str | None]:
    """The formats whose letters stand where most of the cells have them; None for ISO 8601."""
    if _mostly(_ISO, some):
        return [None]
    return [
        day + clock
        for day in DAYS
        for clock in CLOCKS
        if (day, clock) != (ISO_DAY, "") and _mostly(_pattern(day + clock), some)
    ]


def _mostly(pattern: re.Pattern[str], some: list[str]) -> bool:
    return sum(pattern.fullmatch(text) is not None for text in some) >= 0.9 * len(some)


def _pattern(form: str) -> re.Pattern[str]:
    exact = {"%m": r"\d\d", "%d": r"\d\d"} if form.startswith(("%Y%m%d", "%y%m%d")) else {}
    letters = {**_LETTERS, **exact}
    return re.compile(
        "".join(f"(?:{letters[part]})" if part in letters else re.escape(part) for part in re.split(r"(%\w)", form))
    )


def _read(texts: dict[str, int], form: str | None) -> Reading | None:
    days: dict[str, int] = {}
    length = _length_of_day(form)
    for text, count in texts.items():
        day = text[:10] if form is None else " ".join(text.split(" ")[:length]) if length else text.split("T")[0]
        days[day] = days.get(day, 0) + count
    step = -(-len(days) // LOOKED_AT)
    looked = dict(list(days.items())[::step])
    day_format = ISO_DAY if form is None else _day_of(form)
    read = {text: found for text in looked if (found := _parse(text, day_format)) and found.year in YEARS}
    share = sum(looked[text] for text in read) / sum(looked.values())
    if share < ALMOST_ALL:
        return None
    weak = form is not None and form.startswith("%y%m%d") and len(looked) < 20
    firsts = all(day.day == 1 for day in read.values())
    return Reading(form, share, min(read.values()), max(read.values()), weak=weak, firsts=firsts)


def _day_of(form: str) -> str:
    return next(day for day in sorted(DAYS, key=len, reverse=True) if form.startswith(day))


def _length_of_day(form: str | None) -> int:
    """How many words the day has; 0 where a T follows it."""
    return 0 if form is not None and "T%H" in form else len((_day_of(form) if form else ISO_DAY).split(" "))


def _parse(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None


COUNTED = (("epoch_ms", 946_684_800_000, 4_102_444_800_000), ("epoch", 946_684_800, 4_102_444_800),
           ("excel", 20_000, 73_050))  # fmt: skip
"""Form → the numbers that it may be."""
_PER_DAY = {"epoch_ms": 86_400_000, "epoch": 86_400, "excel": 1}
_DAY_0 = {"epoch_ms": datetime(1970, 1, 1), "epoch": datetime(1970, 1, 1), "excel": datetime(1899, 12, 30)}


def _counts(texts: dict[str, int]) -> list[Reading]:
    """Days or seconds since a day: weak, for any number may be one."""
    try:
        values = [float(text) for text in texts]
    except ValueError:
        return []
    for form, low, high in COUNTED:
        if low <= min(values) and max(values) < high:
            first, last = (_DAY_0[form] + timedelta(days=v / _PER_DAY[form]) for v in (min(values), max(values)))
            return [Reading(form, 1.0, first, last, weak=True)]
    return []


def _either(found: list[Reading]) -> tuple[Reading, ...]:
    """Day first or month first, where the cells do not tell: both, each naming the other."""
    best = [reading for reading in found if reading.share == found[0].share]
    formats = {reading.format for reading in best}

    def other(reading: Reading) -> str | None:
        if reading.format in (None, *_PER_DAY):
            return None
        day = _day_of(str(reading.format))
        swapped = str(reading.format).replace(day, SWAPPED.get(day, day))
        return swapped if swapped != reading.format and swapped in formats else None

    both = [replace(reading, either=other(reading)) for reading in best]
    return tuple(sorted(both, key=_preference))


def _preference(reading: Reading) -> tuple[bool, bool, bool]:
    """Of two readings the one goes first that has nothing but firsts of months, or puts the day first."""
    return reading.weak, not reading.firsts, bool(reading.either) and not str(reading.format).startswith("%d")
