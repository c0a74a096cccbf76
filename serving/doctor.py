"""What is wrong with an installation: small checks, each by itself, whose findings are letters to who can mend it.

Nothing is changed or made, and no letter names a customer or a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from features.errors import InputError
from serving import doctor_installation as installation
from serving import doctor_live as live
from serving.patient import Patient, Said


@dataclass(frozen=True)
class Check:
    """needs: the checks without which it has nothing to look at."""

    name: str
    look: Callable[[Patient], Iterator[Said]]
    needs: tuple[str, ...] = ()


CHECKS = (
    Check("libraries", installation.libraries),
    Check("source", installation.source),
    Check("key", installation.key, ("source",)),
    Check("settings", installation.settings),
    Check("tables", live.tables, ("source",)),
    Check("registry", live.champion, ("source",)),
    Check("release", live.release, ("registry",)),
    Check("snapshot", live.snapshot, ("registry",)),
    Check("store", live.store, ("source",)),
    Check("redis", live.redis, ("source", "settings")),
    Check("durability", live.durability, ("redis",)),
    Check("published", live.published, ("snapshot", "redis")),
    Check("waiting", live.waiting, ("redis",)),
    Check("keys", installation.api_keys, ("source",)),
    Check("disk", installation.disk, ("source",)),
    Check("access", installation.access, ("source",)),
    Check("clock", installation.clock, ("source",)),
)


@dataclass(frozen=True)
class Outcome:
    """What a check found. notes: what is as it should be; before: the check that is to be mended first, so that this
    one was not made; empty where it was."""

    name: str
    wrong: tuple[InputError, ...] = ()
    notes: tuple[str, ...] = ()
    before: str = ""


def examine(patient: Patient, checks: Sequence[Check] = CHECKS) -> Iterator[Outcome]:
    """Each check in order; one that fails stops only those that need it."""
    failed: set[str] = set()
    for check in checks:
        before = next((each for each in check.needs if each in failed), "")
        said = [] if before else list(_said(check, patient))
        wrong = tuple(each for each in said if isinstance(each, InputError))
        if wrong or before:
            failed.add(check.name)
        yield Outcome(check.name, wrong, tuple(each for each in said if isinstance(each, str)), before)


def _said(check: Check, patient: Patient) -> Iterator[Said]:
    try:
        yield from check.look(patient)
    except InputError as error:
        yield error
    except OSError as error:
        yield InputError(error.filename or check.name, error.strerror or type(error).__name__, "what can be read")
    except Exception as error:  # noqa: BLE001 whatever it is, the other checks are made
        yield InputError(check.name, type(error).__name__, "an answer", "Look by hand at what this check looks at.")
