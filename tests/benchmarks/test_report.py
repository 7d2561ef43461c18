"""The report says what was found, what was refused, and where others are better."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.plots import svg, ticks
from benchmarks.profiling import dumped, own, read_stacks, whole
from benchmarks.results import Figure, Line, Plot, Report, Section
from benchmarks.scenarios import NAMES, find
from benchmarks.scenarios.soak import slope
from config.stack.state import StackError
from gateway.markdown import Renderer


def found() -> Report:
    section = Section("throughput", "Plain calls", "As fast as they go.")
    section.figures = [
        Figure("rate", "2389", "", (1000.0, 1200.0, 900.0)),
        Figure("rate", "other", "", (20.0,)),
        Figure("rate", "third", "", (5000.0,), refused="too close"),
        Figure("latency", "2389", "ms", (3.14159,)),
    ]
    section.want("30 times the other", section.ratio("rate", "2389", "other"), least=30)
    section.want("twice the third", section.ratio("rate", "2389", "third"), least=2)
    section.want("at most 3 ms", 3.14159, most=3)
    section.plots = [Plot("curve", "A curve", "x", "y", (Line("2389", ((1.0, 10.0), (8.0, 30.0))),), logarithmic=True)]
    return Report({"processor": "one"}, {"run": "short"}, [section])


def test_a_row_has_the_median_and_the_range_of_each_system() -> None:
    assert report.table(found().sections[0]).splitlines()[2:] == [
        "| rate | 1,000 (900-1,200) | 20.0 | refused |",
        "| latency | 3.14 ms |  |  |",
    ]


def test_a_target_is_met_or_not_and_open_without_a_figure() -> None:
    assert [(one.got, one.met) for one in found().sections[0].targets] == [
        ("50.0", True),
        ("no figure", None),
        ("3.14", False),
    ]


def test_what_was_refused_is_told_with_its_reason() -> None:
    text = report.markdown(found())
    assert "- Plain calls: rate, third: too close" in text
    assert "5,000" not in text


def test_the_json_holds_everything(tmp_path: Path) -> None:
    report.write(found(), tmp_path)
    assert Report.from_json(json.loads((tmp_path / "report.json").read_text())) == found()
    assert "![A curve](curve.svg)" in (tmp_path / "README.md").read_text()
    ElementTree.parse(tmp_path / "curve.svg")  # noqa: S314 - our own


def test_only_what_stands_between_the_marks_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n\n## Figures\n\nearlier figures\n\n## Curves\n\nafter\n")
    for _ in range(2):
        report.write_page(found(), page)
    text = page.read_text()
    assert text.startswith("before\n\n## Figures\n\n### Machine")
    assert text.endswith("\n\n## Curves\n\nafter\n")
    assert text.count("As fast as they go.") == 1
    assert "earlier figures" not in text


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing to see")
    with pytest.raises(ValueError, match="no part between"):
        report.write_page(found(), page)
    assert page.read_text() == "nothing to see"


def test_the_page_of_the_documentation_has_a_place_for_the_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(report.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    report.write_page(found(), page)
    assert "| rate | 1,000 (900-1,200) | 20.0 | refused |" in page.read_text(encoding="utf-8")


def test_the_site_shows_the_figures_with_nothing_left_of_their_markup() -> None:
    shown = Renderer(lambda target: target).blocks(report.markdown(found(), level=3).splitlines())
    assert shown.count("<table") == 3
    assert not re.search(r"\*\*|^#|^\|", re.sub(r"<[^>]+>", "", shown), re.MULTILINE)


@pytest.mark.parametrize("highest", [0.3, 1, 7, 99, 1234, 50_000, 1e7])
def test_an_axis_reaches_above_every_value_by_round_steps(highest: float) -> None:
    marks = ticks(highest)
    assert marks[0] == 0
    assert highest * (1 - 1e-9) <= marks[-1] < highest * 1.6
    assert 3 <= len(marks) <= 8


def test_curves_stay_inside_their_drawing() -> None:
    drawn = ElementTree.fromstring(svg(found().sections[0].plots[0]))  # noqa: S314 - our own
    points = [one.attrib["points"] for one in drawn.iter("{http://www.w3.org/2000/svg}polyline")]
    pairs = [tuple(map(float, pair.split(","))) for pair in points[0].split()]
    assert all(0 < x < 640 and 0 < y < 360 for x, y in pairs)
    assert pairs[0][0] < pairs[1][0]
    assert pairs[0][1] > pairs[1][1]  # more is higher


def test_a_plot_without_figures_says_so() -> None:
    assert "No figures." in svg(Plot("n", "t", "x", "y", (Line("l", ()),)))


def test_memory_that_grows_has_a_slope_and_its_beginning_does_not_count() -> None:
    steady = tuple((float(at), 100e6 + 1000 * at) for at in range(100))
    assert slope(steady) == pytest.approx(1000)
    warming = tuple((float(at), 50e6 if at < 20 else 100e6) for at in range(100))
    assert slope(warming) == pytest.approx(0)
    assert slope(()) == 0


def test_samples_are_counted_by_function() -> None:
    stacks = read_stacks("main (a.py:1);run (b.py:7) 3\nmain (a.py:2);run (b.py:9);run (b.py:9) 2\n")
    assert own(stacks) == {"run (b.py)": 5}
    assert whole(stacks) == {"main (a.py)": 5, "run (b.py)": 5}


def test_instructions_are_read_from_the_dump_that_is_meant(tmp_path: Path) -> None:
    for number, count in ((1, 1234), (2, 99)):
        (tmp_path / f"callgrind.7.{number}").write_text(f"events: Ir\nfn=(1) run\n16 {count}\n\ntotals: {count}\n")
    assert [dumped(tmp_path, 7, number) for number in (1, 2)] == [1234, 99]
    (tmp_path / "callgrind.7.3").write_text("events: Ir\n")
    with pytest.raises(StackError, match="dump 3"):
        dumped(tmp_path, 7, 3)


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_can_be_run_by_its_name(name: str) -> None:
    assert callable(find(name))


def test_a_figure_without_rounds_is_none() -> None:
    assert Figure("x", "2389", "", ()).told() == "none"
    assert math.isnan(Figure("x", "2389", "", (math.nan,)).median)
