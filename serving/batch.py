"""Many customers scored together: those of whom the snapshot says all as one table, the others one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from serving import answers
from serving.bodies import NotJsonError, decode_json
from serving.problems import problem_of
from serving.schema import CustomerLine, ScoreRequest
from serving.service import Service
from serving.store.state import StoreError
from serving.wire import Asked, checked, read_asked

Tell = Callable[[Mapping[str, Any]], None]
REFUSALS = (HTTPException, RequestValidationError, NotJsonError, StoreError)


def answer_lines(service: Service, lines: Sequence[bytes], before: int, tell: Tell) -> bytes:
    """A line for each line, in their order; before: how many lines went before; tell: is told the answer of each
    customer who gets one."""
    said = [_read(line) for line in lines]
    table = _table(service, [each.customer_id for each in said if isinstance(each, CustomerLine)], tell)
    return b"".join(_answer(service, each, table, before + i, tell) for i, each in enumerate(said, 1))


def refused(line: int, error: Exception) -> bytes:
    """What is answered to a line that cannot be."""
    return _line({"line": line, "problem": problem_of(error).model_dump()})


def _read(line: bytes) -> Asked | CustomerLine | Exception:
    try:
        said = decode_json(line)
        if isinstance(said, dict) and "events" in said:
            return read_asked(said, ScoreRequest)
        return checked(CustomerLine, said)
    except REFUSALS as error:
        return error


def _answer(
    service: Service, asked: Asked | CustomerLine | Exception, table: Mapping[str, bytes], line: int, tell: Tell
) -> bytes:
    if isinstance(asked, Exception):
        return refused(line, asked)
    if isinstance(asked, CustomerLine) and asked.as_of is None and asked.customer_id in table:
        return table[asked.customer_id]
    try:
        if isinstance(asked, Asked):
            found = answers.of_events(service, asked)
        else:
            found = answers.of_customer(service, asked.customer_id, asked.as_of)
    except REFUSALS as error:
        return refused(line, error)
    tell(found)
    return _line(found)


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
        found[id_] = _line(said)
    return found


def _line(said: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(said) + b"\n"
