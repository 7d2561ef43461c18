"""Embeddings as callers want them: a list of numbers, or base64 of little-endian 32-bit floats."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Iterable

SWAPPED = sys.byteorder == "big"


def encoded(embedding: list[float] | str, encoding: str) -> list[float] | str:
    """`embedding` in the encoding "float" or "base64", whichever of them it came in. Raises `ValueError`."""
    if isinstance(embedding, str):
        return embedding if encoding == "base64" else unpacked(embedding)
    return packed(embedding) if encoding == "base64" else embedding


def packed(numbers: Iterable[float]) -> str:
    floats = array("f", numbers)
    if SWAPPED:
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")


def unpacked(text: str) -> list[float]:
    """Raises `ValueError` for what is not base64 of whole floats."""
    floats = array("f")
    floats.frombytes(base64.b64decode(text, validate=True))
    if SWAPPED:
        floats.byteswap()
    return floats.tolist()
