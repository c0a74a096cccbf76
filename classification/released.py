"""Which schemes were released: each release notes the version of its scheme and the digest of what it says."""

from __future__ import annotations

from classification.scheme import Scheme
from classification.soundness import other_contents, scheme_digest
from training import registry

SCHEME_TAG, DIGEST_TAG = "scheme", "scheme_digest"


def scheme_tags(scheme: Scheme) -> dict[str, str]:
    """What a release notes of its scheme when it is registered."""
    return {SCHEME_TAG: scheme.version, DIGEST_TAG: scheme_digest(scheme)}


def released_schemes() -> dict[str, dict[str, str]]:
    """Version → digest of its content → a release that carries it, of all sources; none where there is no registry."""
    found: dict[str, dict[str, str]] = {}
    for each in registry.tagged(DIGEST_TAG) if registry.is_there() else []:
        digests = found.setdefault(each.tags.get(SCHEME_TAG, ""), {})
        digests.setdefault(each.tags[DIGEST_TAG], f"{each.name} version {each.number}")
    return found


def check_released(scheme: Scheme, place: str) -> None:
    """Refuse a scheme whose version was released with other content."""
    for flaw in other_contents(scheme, released_schemes(), place):
        raise flaw
