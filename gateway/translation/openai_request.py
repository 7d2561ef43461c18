"""The caller's body as a server takes it: unchanged, but for what that server or that model refuses.

What it refuses is data: a vendor's `Refusals`, and a route's options, which say the same things for one model and are
added to it. docs/registry.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from gateway.capability_words import WITHOUT_REASONING
from gateway.providers.base import ChatCall
from gateway.translation.chat_request import offers_functions
from gateway.translation.gemini_signatures import MARK, strip_signature
from gateway.translation.openai_functions import with_tools

NEWER_LIMIT, OLDER_LIMIT = "max_completion_tokens", "max_tokens"


@dataclass(frozen=True, slots=True)
class Refusals:
    """What a server does not take, or takes under another name than OpenAI does."""

    limit: str = NEWER_LIMIT  # how a limit of ours is told
    rename: Mapping[str, str] = field(default_factory=dict)  # parameters that it knows by another name
    roles: Mapping[str, str] = field(default_factory=dict)  # roles that it knows by another name
    drop: tuple[str, ...] = ()  # parameters that it refuses
    drop_unless_effort_none: tuple[str, ...] = ()  # those that it refuses of a model that thinks
    drop_from_messages: tuple[str, ...] = ()  # keys of a message that it refuses
    stream_options: bool = True  # whether it takes them
    functions: bool = True  # whether it knows `functions` and `function_call`, which tools have replaced

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """The same with what a route's options add. A name given for itself takes a renaming back."""
        rename = {**self.rename, **options.get("rename", {})}
        if options.get("rename_max_tokens"):
            rename.pop(NEWER_LIMIT, None)
            rename[OLDER_LIMIT] = NEWER_LIMIT
        return replace(
            self,
            rename=rename,
            roles={**self.roles, **options.get("roles", {})},
            drop=(*self.drop, *options.get("drop", ())),
            drop_unless_effort_none=(*self.drop_unless_effort_none, *options.get("drop_unless_effort_none", ())),
            drop_from_messages=(*self.drop_from_messages, *options.get("drop_from_messages", ())),
            stream_options=options.get("stream_options", self.stream_options),
            functions=not options.get("functions_as_tools", not self.functions),
        )


def adapted(call: ChatCall, refusals: Refusals) -> dict[str, Any]:
    """The body for this call's target, in the target's words. The caller's own stays as it is."""
    body = dict(call.body)
    if any(_signed(message) for message in body["messages"]):
        body["messages"] = [_unsigned(message) for message in body["messages"]]
    if not refusals.functions:
        body = with_tools(body)
    if call.output_limit is not None:
        body[refusals.limit] = call.output_limit
    for ours, theirs in refusals.rename.items():
        _rename(body, ours, theirs)
    if call.target.capabilities.get("tools") == WITHOUT_REASONING and offers_functions(body):
        body["reasoning_effort"] = body.get("reasoning_effort") or "none"
    refused = refusals.drop
    if body.get("reasoning_effort") != "none":
        refused += refusals.drop_unless_effort_none
    for parameter in refused:
        body.pop(parameter, None)
    if refusals.roles or refusals.drop_from_messages:
        body["messages"] = [_message(message, refusals) for message in body["messages"]]
    body["model"] = call.target.upstream_model
    if not refusals.stream_options:
        body.pop("stream_options", None)
    elif call.streaming:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return body


def _rename(body: dict[str, Any], ours: str, theirs: str) -> None:
    """What the caller gave under the server's own name already stands."""
    if ours == theirs or ours not in body:
        return
    value = body.pop(ours)
    if value is not None and body.get(theirs) is None:
        body[theirs] = value


def _message(message: Mapping[str, Any], refusals: Refusals) -> Mapping[str, Any]:
    role = refusals.roles.get(message["role"], message["role"])
    refused = [key for key in refusals.drop_from_messages if key in message]
    if role == "function":  # its name is what it is recognised by
        refused = [key for key in refused if key != "name"]
    if role == message["role"] and not refused:
        return message
    told = {**{key: value for key, value in message.items() if key not in refused}, "role": role}
    if "refusal" in refused and message["refusal"] and not told.get("content"):
        told["content"] = message["refusal"]  # a message that says nothing is refused as well
    return told


def _signed(message: Mapping[str, Any]) -> bool:
    """Whether an id in it carries Gemini's signature: a conversation that Gemini began goes on here."""
    calls = message.get("tool_calls") or ()
    return MARK in str(message.get("tool_call_id", "")) or any(MARK in str(call.get("id")) for call in calls)


def _unsigned(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if not _signed(message):
        return message
    plain = dict(message)
    if "tool_call_id" in plain:
        plain["tool_call_id"] = strip_signature(str(plain["tool_call_id"]))
    if plain.get("tool_calls"):
        plain["tool_calls"] = [{**call, "id": strip_signature(str(call["id"]))} for call in plain["tool_calls"]]
    return plain
