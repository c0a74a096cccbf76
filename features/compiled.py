"""Where numba keeps what it compiled: apart for each state of the sources.

Numba looks at the file of the function that is called. A loop that takes in another file's would go stale unseen when
that one changes, and so would one that knows where a feature stands in a row.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
ROOT = Path(__file__).resolve().parent.parent
PLACES = ("features", "training")
"""Whose functions are compiled."""
CATALOGUE = "catalogue"
NAME = "numba-{}"


def keep_apart() -> None:
    """Tell numba, in this process and those it starts: below the folder that the environment names, by default
    `features/__pycache__`. Where nothing can be written, numba looks for a place of its own."""
    given = Path(os.environ.get(VARIABLE) or ROOT / "features" / "__pycache__")
    base = given.parent if re.fullmatch(NAME.format("[0-9a-f]{16}"), given.name) else given
    try:
        name = NAME.format(digest(path for place in PLACES for path in sorted((ROOT / place).rglob("*.py"))))
    except OSError:  # the sources lie in an archive
        return
    os.environ[VARIABLE] = str(base / name)
    if "numba" in sys.modules:
        sys.modules["numba"].config.reload_config()


def digest(files: Iterable[Path]) -> str:
    """Of all sources that are compiled, or say where a feature stands."""
    found = hashlib.sha256()
    for path in files:
        text = path.read_bytes()
        if b"numba" in text or CATALOGUE in path.parts:
            found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + text + b"\0")
    return found.hexdigest()[:16]
