"""The caller's messages as Gemini's: a system instruction, then turns of user and model.

A model turn with function calls must be followed at once by one turn with exactly their results. So what stands
between two assistant messages is put in order: the results, in the order of the calls, then what the user says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway import errors
from gateway.translation.chat_request import call_arguments
from gateway.translation.gemini_capabilities import Capabilities
from gateway.translation.gemini_content import Part, parts_of, text_parts
from gateway.translation.gemini_names import FunctionNames
from gateway.translation.gemini_signatures import SKIP_VALIDATOR, signature_of, strip_signature

PLACEHOLDER = "."  # stands where Gemini needs a turn and the caller said nothing
CONTINUE = "Continue."  # asks a model that takes no prefill to go on from what it is given


@dataclass(frozen=True, slots=True)
class Conversation:
    system: list[Part]
    contents: list[dict[str, Any]]


def converse(messages: list[Mapping[str, Any]], *, takes: Capabilities, names: FunctionNames) -> Conversation:
    """Raises `ApiError` (400) that names the message when calls and results do not match."""
    walk = _Walk(takes, names)
    for position, message in enumerate(messages):
        walk.take(message, at=f"messages[{position}]")
    walk.close()
    if not walk.contents:
        raise errors.invalid("'messages' needs at least one message that is not a system message.", param="messages")
    if walk.contents[-1]["role"] == "model" and not takes.prefill:
        walk.contents.append({"role": "user", "parts": [{"text": CONTINUE}]})
    return Conversation(walk.system, walk.contents)


@dataclass(slots=True)
class _Call:
    """A function call, and its result once that was found."""

    id: str
    name: str
    part: Part
    at: str
    result: Part | None = None

    def answer(self, response: dict[str, Any]) -> None:
        head = {key: value for key, value in self.part["functionCall"].items() if key != "args"}
        self.result = {"functionResponse": {**head, **response}}


@dataclass(slots=True)
class _Between:
    """What stands between two assistant turns."""

    parts: list[Part] = field(default_factory=list)
    spoken: bool = False  # by a user, be it with empty words


class _Walk:
    def __init__(self, takes: Capabilities, names: FunctionNames) -> None:
        self.system: list[Part] = []
        self.contents: list[dict[str, Any]] = []
        self._takes = takes
        self._names = names
        self._between = _Between()
        self._calls: list[_Call] = []  # of the last assistant turn
        self._legacy_calls = 0

    def take(self, message: Mapping[str, Any], *, at: str) -> None:
        role = message["role"]
        if role in {"system", "developer"}:
            self.system += text_parts(message.get("content"), at=f"{at}.content")
        elif role == "assistant":
            self._assistant(message, at)
        elif role == "user":
            self._between.spoken = True
            self._between.parts += parts_of(message.get("content"), at=f"{at}.content", takes=self._takes)
        else:
            self._result(message, at)

    def close(self) -> None:
        """Write down the results and what the user said since the last assistant turn."""
        for call in self._calls:
            if call.result is None:
                raise errors.invalid(
                    f"'{call.at}': the call '{call.id[:80]}' has no result. Follow the assistant "
                    "message with a tool message for each of its calls, before the next assistant message.",
                    param=call.at,
                )
        if self._calls:
            self.contents.append({"role": "user", "parts": [call.result for call in self._calls]})
        between, self._between, self._calls = self._between, _Between(), []
        if between.parts:
            self.contents.append({"role": "user", "parts": between.parts})
        elif between.spoken:
            self.contents.append({"role": "user", "parts": [{"text": PLACEHOLDER}]})

    def _assistant(self, message: Mapping[str, Any], at: str) -> None:
        parts = text_parts(message.get("content"), at=f"{at}.content", kinds=("text", "refusal"))
        if not parts and isinstance(message.get("refusal"), str):
            parts = text_parts(message["refusal"], at=f"{at}.refusal")
        calls = self._called(message, at)
        if not parts and not calls:
            return
        self.close()
        if not self.contents:  # a conversation begins with its user
            self.contents.append({"role": "user", "parts": [{"text": PLACEHOLDER}]})
        self._calls = calls
        parts += [call.part for call in calls]
        if self.contents[-1]["role"] == "model":
            self.contents[-1]["parts"] += parts
        else:
            self.contents.append({"role": "model", "parts": parts})

    def _called(self, message: Mapping[str, Any], at: str) -> list[_Call]:
        found = []
        for position, call in enumerate(message.get("tool_calls") or ()):
            where = f"{at}.tool_calls[{position}]"
            if not isinstance(call.get("function"), dict):
                raise errors.invalid(f"'{where}' must be a function call: this model has no other tools.", param=where)
            found.append(self._call(call["function"], call["id"], signature_of(call), at=f"{where}.id"))
        legacy = message.get("function_call")
        if isinstance(legacy, dict) and isinstance(legacy.get("name"), str):
            self._legacy_calls += 1
            call_id = f"call_legacy_{self._legacy_calls}"
            found.append(self._call(legacy, call_id, None, at=f"{at}.function_call"))
        if found and self._takes.signs_calls:
            # Of calls made together only the first is signed; it comes from elsewhere when it is not.
            found[0].part.setdefault("thoughtSignature", SKIP_VALIDATOR)
        return found

    def _call(self, function: Mapping[str, Any], given_id: str, signature: str | None, *, at: str) -> _Call:
        call_id, name = strip_signature(given_id), self._names.out(function["name"])
        head = {"id": call_id, "name": name} if call_id else {"name": name}
        part: Part = {"functionCall": {**head, "args": call_arguments(function.get("arguments"))}}
        if signature is not None and self._takes.thinking != "none":
            part["thoughtSignature"] = signature
        return _Call(call_id, function["name"], part, at)

    def _result(self, message: Mapping[str, Any], at: str) -> None:
        call = self._waiting(message, at)
        said = parts_of(message.get("content"), at=f"{at}.content", takes=self._takes)
        text = "".join(part["text"] for part in said if "text" in part)
        media = [part for part in said if "text" not in part]
        response: dict[str, Any] = {"response": {"result": text}}
        if self._takes.thinking == "level" and all("inlineData" in part for part in media):
            held = [{"inlineData": part["inlineData"]} for part in media]  # a result has no word for a resolution
            response |= {"parts": held} if held else {}
        else:
            self._between.parts += media  # older models look at media in the user's words only
        call.answer(response)

    def _waiting(self, message: Mapping[str, Any], at: str) -> _Call:
        """The call that a message of role tool answers by id, or one of role function by name."""
        field_name = "name" if message["role"] == "function" else "tool_call_id"
        where, wanted = f"{at}.{field_name}", message.get(field_name)
        if not isinstance(wanted, str):
            raise errors.invalid(f"'{where}' is missing: it names the call that the message answers.", param=where)
        if field_name == "name":
            called = [call for call in self._calls if call.name == wanted]
        else:
            called = [call for call in self._calls if call.id == strip_signature(wanted)]
        waiting = next((call for call in called if call.result is None), None)
        if waiting is None:
            problem = "is answered already" if called else "is not in the assistant message before it"
            raise errors.invalid(
                f"'{where}' is '{wanted[:80]}', a call that {problem}. "
                "Each tool message answers one call of the assistant message that precedes it.",
                param=where,
            )
        return waiting
