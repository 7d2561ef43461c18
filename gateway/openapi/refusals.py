"""What can go wrong, by status: the tables of docs/errors.md as the responses of the document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path

from django.conf import settings

from gateway.openapi import headers
from gateway.openapi.shapes import Schema

_ROW = re.compile(r"^\| (\d{3}) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_CODE = re.compile(r"`(\w+)`")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")

# What may be answered before the key is known, or counted: it may tell of no limit.
BEFORE_THE_KEY = frozenset({401, 403, 431, 500, 503})
WAITS = frozenset({409, 429, 503})  # where Retry-After may stand


@dataclass(frozen=True, slots=True)
class Cause:
    """One row: the codes of a status that mean the same."""

    status: int
    codes: tuple[str, ...]
    meaning: str
    advice: str

    @property
    def line(self) -> str:
        return f"- {', '.join(f'`{code}`' for code in self.codes)}: {self.meaning} {self.advice}"


@cache
def causes() -> tuple[Cause, ...]:
    page = (Path(settings.BASE_DIR) / "docs" / "errors.md").read_text(encoding="utf-8")
    return tuple(
        Cause(int(status), tuple(_CODE.findall(codes)), _LINK.sub(r"\1", meaning), _LINK.sub(r"\1", advice))
        for status, codes, meaning, advice in _ROW.findall(page)
    )


def responses(refusals: Mapping[int, tuple[str, ...]]) -> dict[str, Schema]:
    """References to the responses of these statuses: with the codes that are named, or with all that each has."""
    return {
        str(status): {"$ref": f"#/components/responses/{_name(status, codes)}"}
        for status, codes in sorted(refusals.items())
    }


def components(refusals: Iterable[Mapping[int, tuple[str, ...]]]) -> dict[str, Schema]:
    """Those responses themselves, for `components.responses`."""
    wanted = {status_and_codes for one in refusals for status_and_codes in one.items()}
    return {_name(status, codes): _response(status, codes) for status, codes in sorted(wanted)}


def _name(status: int, codes: tuple[str, ...]) -> str:
    """`Unauthorized`, or `NotFound.model_not_found` where only some of its codes are meant."""
    phrase = "".join(word.capitalize() for word in re.findall(r"\w+", HTTPStatus(status).phrase))
    return ".".join([phrase, *codes])


def _response(status: int, codes: tuple[str, ...]) -> Schema:
    found = [cause for cause in causes() if cause.status == status and (not codes or set(codes) & set(cause.codes))]
    told = "\n".join(dict.fromkeys(cause.line for cause in found))
    return {
        "description": f"{HTTPStatus(status).phrase}.\n\n{told}",
        "headers": _headers(status),
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_schema(status)}"}}},
    }


def _schema(status: int) -> str:
    return "QuotaError" if status == 402 else "Error"


def _headers(status: int) -> Schema:
    if status == 401:
        return headers.named(*headers.ALWAYS, "www-authenticate")
    limits = headers.named(*headers.LIMITS) if status not in BEFORE_THE_KEY else headers.when_known(*headers.LIMITS)
    waits = headers.named("retry-after") if status in WAITS else {}
    return {**headers.named(*headers.ALWAYS), **limits, **headers.named(*headers.TOKENS), **waits}
