"""What is drawn can be told from the page it is drawn on, in both themes."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings

TOKENS = (Path(settings.BASE_DIR) / "static" / "css" / "tokens.css").read_text(encoding="utf-8")
MARKS = [f"chart-{number}" for number in range(9)]
ENOUGH = 3.0  # WCAG 1.4.11, for marks of charts


def oklch(name: str, theme: int) -> tuple[float, float, float]:
    found = re.search(rf"--{name}: (?:var\(--([\w-]+)\)|light-dark\((.*)\));", TOKENS)
    assert found, name
    if found[1]:
        return oklch(found[1], theme)
    lightness, chroma, hue = re.findall(r"oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)", found[2])[theme]
    return float(lightness) / 100, float(chroma), math.radians(float(hue))


def luminance(name: str, theme: int) -> float:
    """Relative luminance, by way of linear sRGB (Björn Ottosson's matrices)."""
    lightness, chroma, hue = oklch(name, theme)
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return sum(
        part * min(max(one, 0), 1) for part, one in zip((0.2126, 0.7152, 0.0722), (red, green, blue), strict=True)
    )


def contrast(one: str, other: str, theme: int) -> float:
    darker, lighter = sorted((luminance(one, theme), luminance(other, theme)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_reckoned_rightly() -> None:
    assert contrast("n-12", "n-1", 0) > 14
    assert contrast("n-1", "n-1", 0) == 1


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("mark", MARKS)
def test_every_series_of_a_chart_stands_out_from_the_page(mark: str, theme: int) -> None:
    assert contrast(mark, "bg", theme) >= ENOUGH


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_series_that_lie_on_one_another_differ_in_lightness_or_hue(theme: int) -> None:
    for one, other in pairwise(MARKS[1:]):
        first, second = oklch(one, theme), oklch(other, theme)
        turned = abs(math.degrees(first[2] - second[2])) % 360
        assert abs(first[0] - second[0]) >= 0.08 or min(turned, 360 - turned) >= 60, (one, other)
