"""What was found, for people and for programs: Markdown, JSON, plots, and a part of docs/performance.md."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.plots import svg
from benchmarks.results import Report, Section
from config.stack.state import ROOT

BEGIN, END = "\n## Figures\n", "\n## Curves\n"  # headings of the page: a comment would be seen by its readers
PAGE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "benchmarks" / "results"
VERDICTS = {True: "met", False: "**not met**", None: "no figure"}


def markdown(report: Report, *, level: int = 2, plots: bool = False) -> str:
    """The whole report. With `plots` they are shown, as files beside it."""
    parts = [_facts(report, level)]
    parts += [_section(section, level, plots=plots) for section in report.sections]
    if report.refusals:
        told = "\n".join(f"- {one}" for one in report.refusals)
        parts.append(f"{'#' * level} Refused\n\nThese figures would not have told of the gateways:\n\n{told}")
    return "\n\n".join(parts) + "\n"


def _facts(report: Report, level: int) -> str:
    rows = [f"| {name} | {value} |" for name, value in {**report.machine, **report.settings}.items()]
    return "\n".join([f"{'#' * level} Machine and run", "", "| what | |", "|---|---|", *rows])


def _section(section: Section, level: int, *, plots: bool) -> str:
    parts = [f"{'#' * level} {section.title}", section.how]
    if section.figures:
        parts.append(table(section))
    if section.targets:
        rows = [f"| {one.wanted} | {one.got} | {VERDICTS[one.met]} |" for one in section.targets]
        parts.append("\n".join(["| target | found | |", "|---|---|---|", *rows]))
    parts += section.notes
    if plots:
        parts += [f"![{plot.title}]({plot.name}.svg)" for plot in section.plots]
    return "\n\n".join(parts)


def table(section: Section) -> str:
    """A row for each thing that was measured, a column for each system: the median, and the range of the rounds."""
    systems = list(dict.fromkeys(one.system for one in section.figures))
    whats = list(dict.fromkeys(one.what for one in section.figures))
    told = {(one.what, one.system): one.told() for one in section.figures}
    head = ["| | " + " | ".join(systems) + " |", "|---|" + "---|" * len(systems)]
    rows = ["| " + " | ".join([what, *(told.get((what, name), "") for name in systems)]) + " |" for what in whats]
    return "\n".join([*head, *rows])


def write(report: Report, folder: Path) -> Path:
    """The report as `README.md` with its plots beside it, and as `report.json`. Returns the former."""
    folder.mkdir(parents=True, exist_ok=True)
    for section in report.sections:
        for plot in section.plots:
            (folder / f"{plot.name}.svg").write_text(svg(plot), encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    page = folder / "README.md"
    page.write_text(f"# Measured\n\n{markdown(report, plots=True)}", encoding="utf-8")
    return page


def write_page(report: Report, page: Path = PAGE) -> None:
    """Replace what stands between the two headings."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page.name} has no part between '{BEGIN.strip()}' and '{END.strip()}'.")
    page.write_text(f"{before}{BEGIN}\n{markdown(report, level=3)}{END}{after}", encoding="utf-8")
