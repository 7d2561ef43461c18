"""Curves as SVG, drawn by hand: nothing to install, and readable as text in a difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from benchmarks.results import Line, Plot, number

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 72, 150, 40, 52
COLOURS = ("#1f6feb", "#d1242f", "#8250df", "#bf8700", "#1a7f37", "#57606a")
TICKS = 5

Scale = Callable[[float], float]


def svg(plot: Plot) -> str:
    """The whole drawing. A plot without points says so."""
    lines = [line for line in plot.lines if line.points]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        f' font-size="12" role="img" aria-label="{escape(plot.title, quote=True)}">'
    )
    parts = [
        head,
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{escape(plot.title)}</text>',
    ]
    if not lines:
        return "\n".join([*parts, f'<text x="{LEFT}" y="{HEIGHT // 2}">No figures.</text>', "</svg>", ""])
    points = [point for line in lines for point in line.points]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    across = _across(min(xs), max(xs), logarithmic=plot.logarithmic and min(xs) > 0)
    highest = ticks(max(ys))[-1]
    up = _linear(0, highest, HEIGHT - BOTTOM, TOP)
    parts += _axes(plot, xs, across, ticks(max(ys)), up)
    for place, line in enumerate(lines):
        parts += _curve(line, COLOURS[place % len(COLOURS)], across, up, place)
    return "\n".join([*parts, "</svg>", ""])


def ticks(highest: float) -> list[float]:
    """Round numbers from nought to just above the highest value."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= rough * (1 - 1e-9))
    return [step * turn for turn in range(math.ceil(highest / step - 1e-9) + 1)]


def _linear(low: float, high: float, start: float, end: float) -> Scale:
    width = (high - low) or 1.0
    return lambda value: start + (value - low) / width * (end - start)


def _across(low: float, high: float, *, logarithmic: bool) -> Scale:
    if not logarithmic:
        return _linear(low, high, LEFT, WIDTH - RIGHT)
    inner = _linear(math.log(low), math.log(high), LEFT, WIDTH - RIGHT)
    return lambda value: inner(math.log(value))


def _axes(plot: Plot, xs: Sequence[float], across: Scale, levels: Sequence[float], up: Scale) -> list[str]:
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for level in levels:
        y = up(level)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(level)}</text>')
    parts += [f'<text x="{across(x):.1f}" y="{floor + 18}" text-anchor="middle">{x:g}</text>' for x in _marks(xs)]
    parts.append(f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(plot.x)}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 4}" fill="#57606a">{escape(plot.y)}</text>')
    return parts


def _marks(xs: Sequence[float]) -> list[float]:
    """Where the axis is labelled: at the values themselves, as long as they are few."""
    values = sorted(set(xs))
    if len(values) <= 10:
        return values
    return [round(values[0] + (values[-1] - values[0]) * turn / TICKS) for turn in range(TICKS + 1)]


def _curve(line: Line, colour: str, across: Scale, up: Scale, place: int) -> list[str]:
    path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line.points)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    if len(line.points) <= 20:
        parts += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{colour}"/>' for x, y in line.points]
    y, x = TOP + 8 + place * 18, WIDTH - RIGHT + 14
    parts.append(f'<rect x="{x}" y="{y - 9}" width="12" height="10" fill="{colour}"/>')
    parts.append(f'<text x="{x + 18}" y="{y}">{escape(line.label)}</text>')
    return parts
