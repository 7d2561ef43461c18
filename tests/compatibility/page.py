"""What was seen, as the page docs/compatibility.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.compatibility.families import SANDBOX, SERVERS, Family
from tests.compatibility.features import Cell, Feature, Section, observe
from tests.compatibility.rows import SECTIONS

PATH = Path(__file__).parents[2] / "docs" / "compatibility.md"
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
HEAD = """# Compatibility

What becomes of each feature of OpenAI's API, by family of models. The tables are not written by hand:
a test sends a request for each cell through the gateway to a vendor that plays along, and writes down what it saw.

| Word | Meaning |
|---|---|
| yes | The model does it, and the gateway carries it there and back. |
| passed on | It is sent as it came. The model or its server decides what becomes of it. |
| adapted | It is done by other means; the note says how. |
| left out | It is not sent, and the request is answered without it. Of the sandbox: it is taken, and has no effect. |
| no | It is sent, and nothing of it comes back. |
| refused | The request is answered with an error before anything is charged; the note says which, and where. |

Whatever a model is not known to lack is let through. `capabilities` in [`GET /v1/models`](models.md#capabilities) says
the same for one model at a time.

## The families

| Family | Models |
|---|---|
"""


def members(family: Family, feature: Feature | None = None) -> tuple[str, ...]:
    """The models that are asked. Each sandbox model is for something else."""
    return (feature.sandbox,) if family is SANDBOX and feature else family.models


def cell(feature: Feature, family: Family) -> Cell:
    """What is seen of every model of the family alike."""
    cells = {name: observe(feature, name) for name in members(family, feature)}
    assert len(set(cells.values())) == 1, f"{feature.title}: the models of {family.title} differ: {cells}"
    return next(iter(cells.values()))


def render() -> str:
    families = dict.fromkeys(family for section in SECTIONS for family in section.families)
    rows = [f"| {family.title} | {_models(family)} |" for family in families]
    retired = "\nA retired model is answered by its [successor](models.md), and by what that can do.\n"
    return HEAD + "\n".join(rows) + "\n" + retired + "".join(_section(section) for section in SECTIONS)


def _models(family: Family) -> str:
    if family is SERVERS:
        return "any model of a server that speaks OpenAI's format, of which the registry says nothing"
    return ", ".join(f"`{name}`" for name in family.models)


def _section(section: Section) -> str:
    notes: dict[str, int] = {}
    head = ["", *(family.title for family in section.families)]
    lines = [_line(head), "|---" * len(head) + "|"]
    for feature in section.features:
        cells = [cell(feature, family) for family in section.families]
        lines.append(_line([feature.title, *(_written(one, notes) for one in cells)]))
    below = [f"{number}. {note}" for note, number in notes.items()]
    return "\n".join(["", f"## {section.title}", "", *lines, *(["", *below] if below else [])]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _written(one: Cell, notes: dict[str, int]) -> str:
    if not one.note:
        return one.outcome
    number = notes.setdefault(one.note, len(notes) + 1)
    return f"{one.outcome} {str(number).translate(RAISED)}"
