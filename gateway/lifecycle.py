"""Where a model stands in its life, and who answers for it once it is gone."""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class Lifecycle(StrEnum):
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


def of(
    *, vendor_id: str, deprecated_on: date | None, shutdown_on: date | None, vendor_gone: bool, today: date
) -> Lifecycle:
    """Retired when the vendor has no such model, has said so, or has passed its date; deprecated once announced."""
    if not vendor_id or vendor_gone or (shutdown_on is not None and shutdown_on <= today):
        return Lifecycle.RETIRED
    if shutdown_on is not None or (deprecated_on is not None and deprecated_on <= today):
        return Lifecycle.DEPRECATED
    return Lifecycle.ACTIVE
