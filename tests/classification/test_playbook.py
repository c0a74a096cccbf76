"""The playbook says what to do for every class, one play of all a customer's classes, and where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classification.playbook import CURRENT, PLAYBOOKS, Playbook, check_fits, load_playbook, playbook_path
from classification.playbook_use import note_playbook, playbook_in_use, use_playbook
from classification.plays import play_of, plays_of
from classification.scheme import SCHEMES, load_scheme
from features.config import json_schema
from features.errors import InputError
from features.tables.audit import open_audit, read_lines
from features.workspace import Workspace
from serving.playbook_commands import TITLE
from tests.conftest import ROOT

PLAYBOOK = load_playbook(CURRENT)
SCHEME = load_scheme("2026-12")
TEXT = playbook_path(CURRENT).read_text()

everyones = st.fixed_dictionaries({name: st.sampled_from(each.all) for name, each in SCHEME.dimensions.items()})


@given(everyones, st.booleans())
def test_every_customer_has_a_play(classes: dict[str, str], no_marketing: bool) -> None:
    """Whatever its classes, unknown ones included, it has an owner, a tier, and a class that says so."""
    play = play_of(PLAYBOOK, classes, no_marketing)
    assert play.owner in ("own manager", "automation", "campaign") and play.discount in PLAYBOOK.tiers
    single = {"owner": play.owner, "discount": play.discount, "action": play.action, "visits": play.visits}
    assert set(play.because) == {name for name, value in {**single, "cap": play.cap}.items() if value is not None}
    for because in play.because.values():
        name, _, class_ = because.partition("=")
        assert because == "everyone" or classes[name] == class_


def test_every_class_of_what_the_playbook_covers_has_a_play() -> None:
    """Of value, intent, demand, lifecycle, behaviour, tenure, product and industry, each class of the scheme."""
    assert set(PLAYBOOK.plays) == {
        "value", "intent", "demand", "lifecycle", "behaviour", "tenure", "product", "industry",
    }  # fmt: skip
    for name, plays in PLAYBOOK.plays.items():
        assert set(plays) == set(SCHEME.dimensions[name].rule.classes)
        for play in plays.values():
            assert play.model_dump(exclude_defaults=True)


@given(everyones)
def test_no_marketing_drops_marketing_everywhere(classes: dict[str, str]) -> None:
    """Who objects gets no marketing, no programme, no action that sells, and is no campaign's; all else stays."""
    asked, silent = play_of(PLAYBOOK, classes), play_of(PLAYBOOK, classes, no_marketing=True)
    assert silent.marketing == () and silent.programmes == {} and silent.owner != "campaign"
    assert silent.action is None or not silent.action.sells
    assert silent.action == asked.action or asked.action is None or asked.action.sells
    for name in ("service", "care", "needs", "discount", "visits", "cap"):
        assert getattr(silent, name) == getattr(asked, name)


def test_a10_each_intent_has_its_action() -> None:
    """Interested: speed up; hesitant: talk, do not sell; not now: record the date; never: record the reason."""
    found = {class_: play_of(PLAYBOOK, {"intent": class_}).action for class_ in "IHNV"}
    assert found["I"] and found["I"].do.startswith("Speed up") and found["I"].sells
    assert found["H"] and found["H"].do.startswith("Talk, do not sell") and not found["H"].sells
    assert found["N"] and found["N"].record == "expected date"
    assert found["V"] and found["V"].record == "refusal reason"


def test_a16_long_term_and_temporary_customers_are_served_unlike() -> None:
    """Long-term customers keep their terms and a discount; temporary ones are to be won."""
    long_term, temporary = (play_of(PLAYBOOK, {"tenure": class_}) for class_ in "LT")
    assert set(long_term.service).isdisjoint(temporary.service)
    assert long_term.discount != temporary.discount and long_term.because["discount"] == "tenure=L"
    assert temporary.marketing and long_term.care


def test_a17_each_industry_has_a_profile_of_needs() -> None:
    """Every industry of the scheme, no two with the same needs; without an industry there are none."""
    profiles = [play_of(PLAYBOOK, {"industry": class_}).needs for class_ in SCHEME.dimensions["industry"].rule.classes]
    assert all(profiles) and len(set(profiles)) == len(profiles) == 7
    assert play_of(PLAYBOOK, {"industry": "U"}).needs == ()


def test_a19_the_discount_follows_the_product_class() -> None:
    """The tier of what is mostly bought, and the better one where the value gives another; it says by which class."""
    by_product = {
        class_: play_of(PLAYBOOK, {"product": class_}) for class_ in SCHEME.dimensions["product"].rule.classes
    }
    assert {class_: play.discount for class_, play in by_product.items()} == {
        "T": "trade", "F": "trade", "P": "trade", "S": "trade", "G": "standard", "L": "standard", "R": "standard",
        "C": "standard", "O": "standard",
    }  # fmt: skip
    assert by_product["T"].because["discount"] == "product=T"
    key = play_of(PLAYBOOK, {"product": "T", "value": "A"})
    assert (key.discount, key.because["discount"]) == ("gold", "value=A")
    assert play_of(PLAYBOOK, {"product": "T", "value": "C"}).discount == "trade"


def test_a32_the_service_of_ordinary_customers_is_basic_and_capped() -> None:
    """Convenient and timely, with a cap; key and major customers have none."""
    found = {class_: play_of(PLAYBOOK, {"value": class_}) for class_ in "ABC"}
    assert "convenient and timely" in found["C"].service[0]
    assert [found[class_].cap for class_ in "ABC"] == [None, None, 5000]


def test_a34_marketing_service_and_care_come_with_the_class_of_value() -> None:
    """Each of A, B and C has all three, and none shares one with another."""
    for what in ("service", "marketing", "care"):
        texts = [getattr(play_of(PLAYBOOK, {"value": class_}), what) for class_ in "ABC"]
        assert all(texts) and len(set(texts)) == 3


def test_a35_demand_decides_who_owns_a_customer_unless_it_is_key() -> None:
    """High: its own manager; low: automation; latent: a campaign. A key customer has its own manager always."""
    owners = {"H": "own manager", "L": "automation", "T": "campaign"}
    for class_, owner in owners.items():
        assert play_of(PLAYBOOK, {"demand": class_, "value": "C"}).owner == owner
        assert play_of(PLAYBOOK, {"demand": class_, "value": "A"}).owner == "own manager"
    assert play_of(PLAYBOOK, {"demand": "T", "value": "C"}, no_marketing=True).owner == "automation"


def test_a36_programmes_match_behaviour_and_lifecycle() -> None:
    """Loyalty for frequent and loyal customers, seasonal for seasonal, recommendation for loyal and occasional."""

    def programmes(**classes: str) -> set[str]:
        return set(play_of(PLAYBOOK, classes).programmes)

    assert programmes(behaviour="F") == {"loyalty"} and programmes(behaviour="S") == {"seasonal"}
    assert programmes(behaviour="O") == {"recommendation"}
    assert programmes(lifecycle="L", behaviour="S") == {"loyalty", "recommendation", "seasonal"}
    assert programmes(lifecycle="P", behaviour="N") == {"welcome"} and programmes(lifecycle="X") == {"win back"}


def test_of_two_that_say_the_same_the_first_dimension_counts() -> None:
    """The order of the file is the order of precedence, of texts too."""
    play = play_of(PLAYBOOK, {"behaviour": "F", "lifecycle": "L", "demand": "H", "value": "B"})
    plays = PLAYBOOK.plays
    assert play.programmes["loyalty"] == plays["lifecycle"]["L"].programmes["loyalty"]
    assert play.service == (plays["value"]["B"].service, plays["demand"]["H"].service, plays["behaviour"]["F"].service)
    assert play.because["owner"] == "demand=H"


@given(st.lists(st.tuples(everyones, st.booleans()), min_size=1, max_size=30))
def test_many_plays_are_those_of_each(base: list[tuple[dict[str, str], bool]]) -> None:
    """Row for row, and each play once."""
    columns = {f"class_{name}": [classes[name] for classes, _ in base] for name in SCHEME.dimensions}
    plays, which = plays_of(PLAYBOOK, pa.table({**columns, "no_marketing": [objects for _, objects in base]}))
    assert [plays[i] for i in which] == [play_of(PLAYBOOK, classes, objects) for classes, objects in base]


BAD = {
    "an unknown key": ("      cap: 5000", "      capp: 5000", "plays.value.C.capp", "Did you mean 'cap'?"),
    "an unknown dimension": ("  tenure:\n", "  tenre:\n", "plays.tenre", "one of value, lifecycle"),
    "an unknown class": ("    T: {owner: campaign", "    Q: {owner: campaign", "plays.demand.Q", "one of H, T, L, U"),
    "a class without a play": ("    H:\n      action", "    U:\n      action", "plays.intent", "class H (hesitant)"),
    "an unknown tier": ("discount: gold", "discount: golden", "plays.value.A.discount", "'golden'"),
    "tiers out of order": ("  silver: 5", "  silver: 9", "tiers.silver", "from the best down"),
    "an interval of no days": ("supervisor: 90", "supervisor: 0", "plays.value.A.visits.supervisor", "greater than 0"),
    "an unknown owner": ("H: {owner: own manager", "H: {owner: the boss", "plays.demand.H.owner", "'own manager'"),
    "an unknown record": ("record: expected date", "record: date", "plays.intent.N.action.record", "'expected date'"),
    "a campaign for everyone": ("owner: automation\n", "owner: campaign\n", "everyone.owner", "'automation'"),
    "an empty text": ("Honour the years together.", '""', "plays.tenure.L.care", "at least 1 character"),
    "a scheme that is not there": ('schemes: ["2026-12"]', 'schemes: ["2020-01"]', "schemes/2020-01.yaml", "no such"),
    "another version": ('version: "2026-12"', 'version: "2026-11"', "version", "as the file is called"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_playbook_says_where(case: str, tmp_path: Path) -> None:
    """The file, the place in it, and what was wanted there."""
    old, new, place, wanted = BAD[case]
    assert old in TEXT
    path = tmp_path / "2026-12.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        load_playbook(str(path))
    assert place in error.value.place and wanted in error.value.letter()


def test_a_playbook_is_for_the_schemes_it_names() -> None:
    """Classes of another scheme get none of its plays."""
    check_fits(PLAYBOOK, "2026-12")
    with pytest.raises(InputError, match="2026-01"):
        check_fits(PLAYBOOK, "2026-01")
    assert (SCHEMES / "2026-01.yaml").exists()


def test_every_playbook_in_the_repository_loads_and_names_its_schema() -> None:
    """Editors complete what the program accepts. `scoring playbook schema` prints it anew."""
    paths = sorted(PLAYBOOKS.glob("*.yaml"))
    assert paths
    for path in paths:
        assert load_playbook(path.stem).version == path.stem
        assert path.read_text().startswith("# yaml-language-server: $schema=../schemas/playbook.schema.json\n")
    assert (ROOT / "configs/schemas/playbook.schema.json").read_text() == json_schema(Playbook, TITLE)


def test_the_first_use_of_new_content_is_in_the_audit_log(tmp_path: Path) -> None:
    """Once for each content, comments aside; and each time somebody says so, with the reason."""
    workspace, log = Workspace(tmp_path / "home"), open_audit(tmp_path / "home").path
    assert playbook_in_use(workspace).version == CURRENT
    assert note_playbook(workspace, PLAYBOOK, None, "first used")
    assert not note_playbook(workspace, load_playbook(CURRENT), None, "used again")
    changed = PLAYBOOK.model_copy(update={"tiers": {**PLAYBOOK.tiers, "gold": 9}})
    assert changed.digest != PLAYBOOK.digest
    assert note_playbook(workspace, changed, None, "a new tier")
    use_playbook(workspace, PLAYBOOK, "eva", "the old tier again")
    lines = read_lines(log, action="playbook")
    assert [(line["version"], line["digest"], line["reason"]) for line in lines] == [
        (CURRENT, PLAYBOOK.digest, "first used"),
        (CURRENT, changed.digest, "a new tier"),
        (CURRENT, PLAYBOOK.digest, "the old tier again"),
    ]
    assert lines[-1]["by"] == "eva" and lines[-1]["person"] == []
    assert json.loads((workspace.home / "playbook.json").read_text())["digest"] == PLAYBOOK.digest


def test_only_a_playbook_of_the_repository_can_be_used(tmp_path: Path) -> None:
    """What is in use must be found again at the next start."""
    elsewhere = PLAYBOOK.model_copy(update={"version": "2027-01"})
    with pytest.raises(InputError, match=r"2027-01\.yaml"):
        use_playbook(Workspace(tmp_path), elsewhere, None, "a try")
    assert not list(tmp_path.iterdir())
