"""Many customers scored together: those of whom the snapshot says all as one table, the others one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from serving import answers
from serving.bodies import decode_json
from serving.problems import REFUSALS, problem_of
from serving.records import Answer
from serving.schema import CustomerLine, ScoreRequest
from serving.service import Service
from serving.store.state import StoreError
from serving.wire import Asked, checked, plain_customer, read_asked

Tell = Callable[[Answer], None]
Said = Asked | CustomerLine | str | Exception
"""What a line asks for, by itself the id of a stored customer; or why it cannot be taken."""


def answer_lines(service: Service, lines: Sequence[bytes], before: int, tell: Tell) -> bytes:
    """A line for each line, in their order; before: how many lines went before; tell: is told the answer of each
    customer who gets one."""
    said = [plain_customer(line) or _read(line) for line in lines]
    table = _table(service, [each for each in said if isinstance(each, str)], tell)
    return b"".join(_answer(service, each, table, before + i, tell) for i, each in enumerate(said, 1))


def refused(line: int, error: Exception) -> bytes:
    """What is answered to a line that cannot be."""
    return msgspec.json.encode({"line": line, "problem": problem_of(error).model_dump()}) + b"\n"


def _read(line: bytes) -> Said:
    try:
        said = decode_json(line)
        if isinstance(said, dict) and "events" in said:
            return read_asked(said, ScoreRequest)
        found = checked(CustomerLine, said)
        return found if found.as_of else found.customer_id
    except REFUSALS as error:
        return error


def _answer(service: Service, asked: Said, table: Mapping[str, bytes], line: int, tell: Tell) -> bytes:
    if isinstance(asked, Exception):
        return refused(line, asked)
    if isinstance(asked, str) and asked in table:
        return table[asked]
    try:
        if isinstance(asked, Asked):
            found = answers.of_events(service, asked)
        elif isinstance(asked, str):
            found = answers.of_customer(service, asked)
        else:
            found = answers.of_customer(service, asked.customer_id, asked.as_of)
    except REFUSALS as error:
        return refused(line, error)
    tell(found)
    return found.body + b"\n"


def _table(service: Service, ids: Sequence[str], tell: Tell) -> dict[str, bytes]:
    """Customer → its line, for those whose answer follows from the snapshot; of the others nothing."""
    try:
        states = service.store.find_many(service.scorer.pseudonyms.of_all(ids))
    except StoreError:
        return {}
    ready = {
        id_: state
        for id_, state in zip(ids, states, strict=True)
        if state.row is not None and not state.arrived and not state.no_profiling
    }
    if not ready:
        return {}
    found = {}
    for id_, said in zip(ready, service.answer_many(ready), strict=True):
        tell(said)
        found[id_] = said.body + b"\n"
    return found
