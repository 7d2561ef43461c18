"""docs/compatibility.md says what is seen when each cell is tried. `--write-docs` writes it anew."""

from __future__ import annotations

import re

import pytest

from tests.compatibility.families import EMBEDDERS, FAMILIES, GEMINI_EMBEDDERS, MODELS, SANDBOX, SERVERS, Family, living
from tests.compatibility.features import Feature, Section, observe, seen
from tests.compatibility.page import PATH, cell, members, render
from tests.compatibility.rows import SECTIONS

ROWS = [(section, feature) for section in SECTIONS for feature in section.features]
EACH_ROW = pytest.mark.parametrize(("section", "feature"), [pytest.param(*row, id=row[1].title) for row in ROWS])
EACH_CELL = pytest.mark.parametrize(
    ("section", "feature", "family"),
    [
        pytest.param(section, feature, family, id=f"{feature.title}-{family.title}")
        for section, feature in ROWS
        for family in section.families
    ],
)


def written(section: Section, feature: Feature, family: Family) -> str:
    """The word in that cell of the page."""
    table = PATH.read_text(encoding="utf-8").split(f"\n## {section.title}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    row = next(row for row in rows if row[0] == feature.title)
    return re.sub(r" [⁰¹²³⁴⁵⁶⁷⁸⁹]+$", "", row[rows[0].index(family.title)])


def test_the_page_is_what_its_tests_write(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("write_docs"):
        PATH.write_text(render(), encoding="utf-8")
    assert PATH.read_text(encoding="utf-8") == render(), "./dev test tests/compatibility --write-docs writes it anew"


@EACH_CELL
def test_each_cell_says_what_is_seen(
    section: Section, feature: Feature, family: Family, pytestconfig: pytest.Config
) -> None:
    if pytestconfig.getoption("write_docs"):
        pytest.skip("the page is being written")
    assert written(section, feature, family) == cell(feature, family).outcome


@EACH_ROW
def test_whatever_is_refused_is_refused_before_money_is_held(section: Section, feature: Feature) -> None:
    for name in (name for family in section.families for name in members(family, feature)):
        assert not (seen(feature, name).refusal and seen(feature, name).paid), name


@EACH_ROW
def test_what_the_registry_says_that_a_model_can_is_not_refused(section: Section, feature: Feature) -> None:
    for name in (name for family in section.families for name in members(family, feature)):
        can = MODELS[name].capabilities if name in MODELS else {}
        needs_tools = "tools" in feature.fields and feature.word != "custom_tools"
        if feature.word and can.get(feature.word) is True and (can.get("tools") is not False or not needs_tools):
            assert observe(feature, name).outcome != "refused", name


def test_every_living_model_of_the_shipped_registry_is_in_one_family() -> None:
    families = [family for family in (*FAMILIES, EMBEDDERS, GEMINI_EMBEDDERS) if family not in {SANDBOX, SERVERS}]
    assert sorted(name for family in families for name in family.models) == sorted(living())


def test_no_row_is_there_twice() -> None:
    assert len({feature.title for _, feature in ROWS}) == len(ROWS)
