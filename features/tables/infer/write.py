"""The proposal as a source file that can be loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from features.config import json_schema as schema_of
from features.config import read_config
from features.errors import InputError
from features.tables.infer.guess import doubts, render, shown
from features.tables.infer.propose import Proposal
from features.tables.sources import Source

SCHEMA = "# yaml-language-server: $schema=../schemas/source.schema.json"


def source_text(proposal: Proposal, of: Sequence[str], skipped: Sequence[str] = ()) -> str:
    """A source file with the reasons in comments. of: what was looked at; skipped: files that are no tables."""
    head = [
        SCHEMA,
        f"# Proposed by `scoring source init` from {shown(', '.join(of))}.",
        "# Look at what says `unsure`, then try it: `scoring source check` with this file.",
    ]
    left = [f"#   {shown(line)}" for line in (*proposal.left_out, *skipped)]
    text = "\n".join([*head, render(proposal.tree), *(["# Left out:", *left, ""] if left else [])])
    read_config(Source, text, "the proposal")
    return text


def please_look(proposal: Proposal) -> list[str]:
    """What a person should look at, most important first."""
    return [shown(doubt) for doubt in doubts(proposal.tree)]


def as_name(text: str) -> str:
    """A source's name made of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or "my"


def check_name(name: str) -> str:
    """Refuse a name that a source cannot have."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise InputError("--name", f"'{name}'", "small letters, digits and hyphens", f"For example: {as_name(name)}.")
    return name


def json_schema() -> str:
    """The JSON Schema of a source file, for editors that complete and check it while one writes."""
    return schema_of(Source, "A source: where a company's tables are, and what their columns mean")
