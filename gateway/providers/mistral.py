"""Mistral, which refuses what it does not know, in the body and in messages, and takes call ids of one form only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, ClassVar

from gateway.providers.base import ChatCall
from gateway.providers.openai_compatible import COMPATIBLE, OpenAICompatible
from gateway.translation.openai_repairs import Endings
from gateway.translation.openai_request import Refusals

_CALL_ID = re.compile(r"[A-Za-z0-9]{9}")


class Mistral(OpenAICompatible):
    kind: ClassVar[str] = "mistral"
    label: ClassVar[str] = "Mistral"
    default_base_url: ClassVar[str] = "https://api.mistral.ai/v1"
    completes: ClassVar[bool] = False
    # Only what changes nothing about the answer is left out; usage comes unasked.
    refuses: ClassVar[Refusals] = replace(
        COMPATIBLE,
        rename={**COMPATIBLE.rename, "seed": "random_seed"},
        drop=("user", "store", "service_tier", "safety_identifier"),
        drop_from_messages=(
            "name",
            "reasoning_content",
            "reasoning_details",
            "reasoning",
            "refusal",
            "annotations",
            "audio",
        ),
        stream_options=False,
    )
    endings: ClassVar[Endings] = Endings(words={"model_length": "length"})

    def adapt(self, call: ChatCall) -> dict[str, Any]:
        body = super().adapt(call)
        body["messages"] = [_with_short_ids(message) for message in body["messages"]]
        return body


def _with_short_ids(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Calls that another vendor made, under ids that Mistral takes: the same id for a call and its result."""
    changed = dict(message)
    if isinstance(message.get("tool_call_id"), str):
        changed["tool_call_id"] = _short(message["tool_call_id"])
    if message.get("tool_calls"):
        changed["tool_calls"] = [{**call, "id": _short(str(call.get("id")))} for call in message["tool_calls"]]
    return changed


def _short(call_id: str) -> str:
    return call_id if _CALL_ID.fullmatch(call_id) else sha256(call_id.encode()).hexdigest()[:9]
