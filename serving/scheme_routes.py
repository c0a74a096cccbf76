"""The scheme over HTTP: what the classes of an answer mean, and what a code says."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from classification.forward import forward_code
from classification.grade import class_name
from classification.scheme import Scheme, load_scheme
from classification.wording import Money, hold_words, move_words, rule_words
from features.errors import InputError
from features.workspace import finite
from serving.records import version
from serving.schema import Version
from serving.service import Live, Service

router = APIRouter()


class ClassOut(BaseModel):
    """A class of a dimension. rule: who belongs to it, in words; at_least: the cut-off that it begins at, where it is a
    share of the base (at most, where the lowest come first); follows: what can follow it within a month, in words."""

    code: str
    name: str
    rule: str
    at_least: float | None = None
    follows: str | None = None


class DimensionOut(BaseModel):
    """A question about a customer, with its classes in order. hold: when a change of class counts."""

    name: str
    title: str
    classes: list[ClassOut]
    unknown: str = Field(description="the class of a customer of whom the facts are not known")
    hold: str


class SchemeOut(BaseModel):
    """The live scheme. code: the levels of the class code, the coarse first."""

    live: Version
    version: str
    replaces: str | None
    code: list[str]
    dimensions: list[DimensionOut]


class NamedClass(BaseModel):
    """A class and what a person calls it."""

    code: str
    name: str


class DecodedCode(BaseModel):
    """What a code says, in the live scheme. code: as that scheme writes it; read_as: the version that wrote it."""

    code: str
    scheme: str
    read_as: str
    classes: dict[str, NamedClass]


@router.get("/v1/scheme", response_model=SchemeOut, summary="The live scheme")
def scheme(live: Live) -> JSONResponse:
    """Its dimensions, their classes with names, rules and the cut-offs of the live snapshot, and the code's levels."""
    found = live.scorer.live.scheme
    said = {"live": version(live.scorer.live), "version": found.version, "replaces": found.replaces}
    dimensions = [_dimension(live, name) for name in found.dimensions]
    return JSONResponse(said | {"code": found.levels, "dimensions": dimensions})


@router.get("/v1/scheme/decode/{code:path}", response_model=DecodedCode, summary="What a class code says")
def decode(
    code: Annotated[str, InPath(max_length=200, description="whole, or cut off after one of its levels")],
    live: Live,
    read_as: Annotated[
        str | None,
        Query(alias="version", pattern=r"^\d{4}-\d{2}[a-z]?$", description="which wrote it; by default the live one"),
    ] = None,
) -> JSONResponse:
    """Its classes with their names; a code of an older version is mapped forward to the live one."""
    now = live.scorer.live.scheme
    try:
        mapped = code if read_as in (None, now.version) else forward_code(code, read_as or "", now, _older)
        classes = now.decode(mapped)
    except ValueError:
        wanted = "the codes of this version look otherwise: GET /v1/scheme tells its levels and classes"
        raise HTTPException(422, f"not a code of scheme {read_as or now.version}; {wanted}") from None
    except InputError:
        raise HTTPException(404, f"scheme {now.version} does not descend from a scheme of that version") from None
    named = {n: {"code": c, "name": class_name(live.scorer.live, n, c)} for n, c in classes.items()}
    said = {"code": mapped, "scheme": now.version, "read_as": read_as or now.version}
    return JSONResponse(said | {"classes": named})


@lru_cache(maxsize=16)
def _older(version: str) -> Scheme:
    """A scheme of configs/schemes; read once, for it never changes."""
    return load_scheme(version)


def _dimension(live: Service, name: str) -> dict[str, object]:
    set_ = live.scorer.live
    dimension, cutoffs = set_.scheme.dimensions[name], set_.snapshot.cutoffs.get(name, {})
    about = set_.release.about
    money = Money(about["currency"], about["decimals"])
    rules, follows = rule_words(dimension, money), move_words(dimension)
    classes = [
        {
            "code": code,
            "name": class_name(set_, name, code),
            "rule": rules[code],
            "at_least": finite(cutoffs.get(code)),
            "follows": follows.get(code),
        }
        for code in dimension.rule.classes
    ]
    said = {"name": name, "title": dimension.title, "unknown": dimension.unknown}
    return said | {"classes": classes, "hold": hold_words(dimension, money)}
