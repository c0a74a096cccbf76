"""What a code of an older scheme says in a newer one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from classification.scheme import Scheme, load_scheme
from features.errors import InputError


def check_forward(old: Scheme, new: Scheme) -> None:
    """Refuse a scheme that leaves a class of the one it replaces without a meaning, or maps one that was not there."""
    for flaw in forward_flaws(old, new, f"scheme {new.version}"):
        raise flaw


def forward_flaws(old: Scheme, new: Scheme, place: str) -> Iterator[InputError]:
    """A letter for each class of `old` without a meaning in `new`, and for each that `new` maps and `old` has not."""
    for name, mapped in new.forward.items():
        known = old.dimensions[name].rule.classes if name in old.dimensions else ()
        for before in mapped:
            if before not in known:
                wanted = f"one of {old.version}: {', '.join(known) or 'none'}"
                yield InputError(f"{place}: forward.{name}", f"the class {before}", wanted)
    for name, dimension in old.dimensions.items():
        later = new.dimensions[name].all if name in new.dimensions else ()
        for before in dimension.rule.classes if later else ():
            if new.forward.get(name, {}).get(before, before) not in later:
                yield InputError(
                    f"{place}: forward.{name}",
                    f"no meaning for {before} ({dimension.name_of(before)}) of {old.version}",
                    f"one of {', '.join(later)}",
                    f"Say what it has become, as in forward: {{{name}: {{{before}: {later[0]}}}}}.",
                )


def forward(classes: Mapping[str, str], old: Scheme, new: Scheme) -> dict[str, str]:
    """The classes of a code of `old` as `new`, which replaces it, says them.

    Dimensions that `old` did not have, or that the code does not reach, are unknown; those that `new` gave up are left
    out.
    """
    found = {}
    for name, dimension in new.dimensions.items():
        before = classes.get(name)
        if before is None or before == old.dimensions[name].unknown:
            found[name] = dimension.unknown
        else:
            found[name] = new.forward.get(name, {}).get(before, before)
    return found


def forward_code(code: str, version: str, to: Scheme, load: Callable[[str], Scheme] = load_scheme) -> str:
    """A code of scheme `version` as a code of `to`, through every scheme between them.

    Raises ValueError for a code that is none, and InputError where `to` does not descend from `version`.
    """
    chain = [to]
    while chain[-1].version != version:
        before = chain[-1].replaces
        if before is None:
            raise InputError(f"scheme {to.version}", f"no way from {version}", "a version that it descends from")
        chain.append(load(before))
    old = chain.pop()
    classes: Mapping[str, str] = old.decode(code)
    while chain:
        new = chain.pop()
        classes, old = forward(classes, old, new), new
    return to.coding.encode(classes)
