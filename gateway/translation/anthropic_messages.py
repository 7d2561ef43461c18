"""The caller's messages as Anthropic's: a system prompt, then turns that alternate, each tool result where it must be.

A run of user, tool and function messages becomes one user turn with the results first; a run of assistant
messages becomes one assistant turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway import errors
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.anthropic_content import Block, blocks, mark, text_blocks
from gateway.translation.anthropic_names import ToolNames, legalised
from gateway.translation.chat_request import call_arguments

PLACEHOLDER = "."  # stands where Anthropic needs a turn and the caller said nothing
CONTINUE = "Continue."  # asks a model that takes no prefill to go on from what it is given
MAX_ID = 64


@dataclass(frozen=True, slots=True)
class Conversation:
    system: list[Block]
    messages: list[dict[str, Any]]
    tool_names: list[str]  # of the calls in the history, as they stand on the wire

    @property
    def prefilled(self) -> bool:
        return bool(self.messages[-1]["role"] == "assistant")

    @property
    def breaks_thinking(self) -> bool:
        """Whether Anthropic would miss thinking blocks in front of the last assistant turn's tool calls."""
        last: list[Block] = next((m["content"] for m in reversed(self.messages) if m["role"] == "assistant"), [])
        return any(block["type"] == "tool_use" for block in last) and "thinking" not in last[0]["type"]


def converse(
    messages: list[Mapping[str, Any]], *, takes: Capabilities, names: ToolNames, options: Mapping[str, Any]
) -> Conversation:
    """Raises `ApiError` (400) that names the message when calls and results do not match.

    Two options of the route decide what is open: `later_system` "system" moves later system messages, which
    the model does not take in place, to the system prompt instead of into a user turn; `prefill` "refuse"
    answers 400 to a last assistant message, which the model does not take, instead of asking it to continue.
    """
    walk = _Walk(takes, names, hoist=options.get("later_system") == "system")
    for position, message in enumerate(messages):
        walk.take(message, at=f"messages[{position}]")
    walk.finish()
    if not walk.messages:
        raise errors.invalid("'messages' needs at least one message that is not a system message.", param="messages")
    if walk.messages[-1]["role"] == "assistant":
        _end_with_prefill(walk.messages, takes, options, at=f"messages[{len(messages) - 1}]")
    return Conversation(walk.system, walk.messages, list(walk.tool_names))


def _end_with_prefill(turns: list[dict[str, Any]], takes: Capabilities, options: Mapping[str, Any], *, at: str) -> None:
    last = turns[-1]["content"][-1]
    last["text"] = last["text"].rstrip()  # trailing space in a prefill is refused
    if takes.prefill:
        return
    if options.get("prefill") == "refuse":
        raise errors.invalid(
            f"'{at}' is an assistant message, which this model does not continue. End with a user message.",
            param=at,
            code="unsupported_value",
        )
    turns.append({"role": "user", "content": [{"type": "text", "text": CONTINUE}]})


@dataclass(slots=True)
class _Call:
    """A tool call that waits for its result."""

    id: str
    name: str
    wire_id: str
    at: str
    answered: bool = False


@dataclass(slots=True)
class _Run:
    """What stands between two assistant turns."""

    results: list[Block] = field(default_factory=list)
    rest: list[tuple[str, Block]] = field(default_factory=list)  # with the role that said it
    spoken: bool = False  # by a user, be it with empty words

    def __bool__(self) -> bool:
        return bool(self.results or self.rest or self.spoken)


class _Walk:
    def __init__(self, takes: Capabilities, names: ToolNames, *, hoist: bool) -> None:
        self.system: list[Block] = []
        self.messages: list[dict[str, Any]] = []
        self.tool_names: dict[str, None] = {}
        self._takes = takes
        self._names = names
        self._hoist = hoist and not takes.mid_conversation_system
        self._leading = True
        self._run = _Run()
        self._open: list[_Call] = []
        self._ids: set[str] = set()
        self._legacy_calls = 0

    def take(self, message: Mapping[str, Any], *, at: str) -> None:
        role = message["role"]
        if role in {"system", "developer"}:
            self._system(message, at)
            return
        self._leading = False
        if role == "assistant":
            self._assistant(message, at)
        elif role == "user":
            self._run.spoken = True
            said = mark(blocks(message.get("content"), at=f"{at}.content", takes=self._takes), message)
            self._run.rest += [("user", block) for block in said]
        else:
            self._result(message, at)

    def finish(self) -> None:
        self._close_run()
        self._check_answered()

    def _system(self, message: Mapping[str, Any], at: str) -> None:
        said = mark(text_blocks(message.get("content"), at=f"{at}.content"), message)
        if self._leading or self._hoist:
            self.system += said
        else:
            self._run.rest += [("system", block) for block in said]

    def _assistant(self, message: Mapping[str, Any], at: str) -> None:
        said = text_blocks(message.get("content"), at=f"{at}.content", kinds=("text", "refusal"))
        if not said and isinstance(message.get("refusal"), str):
            said = text_blocks(message["refusal"], at=f"{at}.refusal")
        calls = self._calls(message, at)
        if not said and not calls:
            return
        self._close_run()
        thought = thinking_blocks(message) if self._takes.thinking != "none" else []
        self._turn("assistant", mark(thought + said + [block for _, block in calls], message))
        self._open += [call for call, _ in calls]

    def _calls(self, message: Mapping[str, Any], at: str) -> list[tuple[_Call, Block]]:
        found = []
        for position, call in enumerate(message.get("tool_calls") or ()):
            where = f"{at}.tool_calls[{position}]"
            if not isinstance(call.get("function"), dict):
                raise errors.invalid(f"'{where}' must be a function call: this model has no other tools.", param=where)
            found.append(self._call(call["id"], call["function"], at=f"{where}.id"))
        legacy = message.get("function_call")
        if isinstance(legacy, dict) and isinstance(legacy.get("name"), str):
            self._legacy_calls += 1
            found.append(self._call(f"call_legacy_{self._legacy_calls}", legacy, at=f"{at}.function_call"))
        return found

    def _call(self, given_id: str, function: Mapping[str, Any], *, at: str) -> tuple[_Call, Block]:
        wire_id = legalised(given_id, taken=self._ids, length=MAX_ID)
        self._ids.add(wire_id)
        name = self._names.out(function["name"])
        self.tool_names[name] = None
        block = {"type": "tool_use", "id": wire_id, "name": name, "input": call_arguments(function.get("arguments"))}
        return _Call(given_id, function["name"], wire_id, at), block

    def _result(self, message: Mapping[str, Any], at: str) -> None:
        call = self._called_by_name(message, at) if message["role"] == "function" else self._called_by_id(message, at)
        call.answered = True
        content: object = message.get("content")
        if not isinstance(content, str):
            content = blocks(content, at=f"{at}.content", takes=self._takes) or ""
        result = {"type": "tool_result", "tool_use_id": call.wire_id, "content": content}
        self._run.results += mark([result], message)

    def _called_by_id(self, message: Mapping[str, Any], at: str) -> _Call:
        wanted = message.get("tool_call_id")
        if not isinstance(wanted, str):
            raise errors.invalid(
                f"'{at}.tool_call_id' is missing: it names the tool call that the message answers.",
                param=f"{at}.tool_call_id",
            )
        return self._waiting(lambda call: call.id == wanted, self._open, wanted, at=f"{at}.tool_call_id")

    def _called_by_name(self, message: Mapping[str, Any], at: str) -> _Call:
        wanted = message.get("name")
        return self._waiting(lambda call: call.name == wanted, self._open[::-1], str(wanted), at=f"{at}.name")

    def _waiting(self, matches: Callable[[_Call], bool], calls: list[_Call], wanted: str, *, at: str) -> _Call:
        called = [call for call in calls if matches(call)]
        waiting = next((call for call in called if not call.answered), None)
        if waiting is None:
            problem = "is answered already" if called else "is not in the assistant message before it"
            raise errors.invalid(
                f"'{at}' is '{wanted[:80]}', a call that {problem}. "
                "Each tool message answers one call of the assistant message that precedes it.",
                param=at,
            )
        return waiting

    def _check_answered(self) -> None:
        for call in self._open:
            if not call.answered:
                raise errors.invalid(
                    f"The tool call '{call.id[:80]}' has no result. Follow the assistant message with a tool message "
                    "for each of its calls, before the next assistant message.",
                    param=call.at,
                )
        self._open = []

    def _close_run(self) -> None:
        """Write the user turn that has gathered, then what the system said in it where the model takes that."""
        run, self._run = self._run, _Run()
        if not run:
            return
        self._check_answered()
        in_place = self._takes.mid_conversation_system and bool(run.results or run.spoken)
        said = [
            block if role == "user" else _quoted(block) for role, block in run.rest if role == "user" or not in_place
        ]
        self._turn("user", run.results + said or [{"type": "text", "text": PLACEHOLDER}])
        ordered = [block for role, block in run.rest if role == "system"]
        if in_place and ordered:
            self._turn("system", ordered)

    def _turn(self, role: str, content: list[Block]) -> None:
        if not self.messages and role == "assistant":
            self._turn("user", [{"type": "text", "text": PLACEHOLDER}])
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += content
        else:
            self.messages.append({"role": role, "content": content})


def thinking_blocks(message: Mapping[str, Any]) -> list[Block]:
    """The signed thoughts that the caller sent back, as they were. What has no signature is of no use upstream."""
    found = [
        _thought(block.get("type"), block.get("thinking"), block.get("signature"), block.get("data"))
        for block in _objects(message.get("thinking_blocks"))
    ]
    if not found:
        for detail in _objects(message.get("reasoning_details")):
            if str(detail.get("format") or "anthropic").startswith("anthropic"):
                kind = _DETAILS.get(str(detail.get("type")))
                found.append(_thought(kind, detail.get("text"), detail.get("signature"), detail.get("data")))
    return [block for block in found if block is not None]


_DETAILS = {"reasoning.text": "thinking", "reasoning.encrypted": "redacted_thinking"}


def _objects(entries: object) -> list[dict[str, Any]]:
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _thought(kind: object, text: object, signature: object, data: object) -> Block | None:
    if kind == "thinking" and isinstance(signature, str) and signature:
        return {"type": "thinking", "thinking": text if isinstance(text, str) else "", "signature": signature}
    if kind == "redacted_thinking" and isinstance(data, str) and data:
        return {"type": "redacted_thinking", "data": data}
    return None


def _quoted(block: Block) -> Block:
    """A system message that has to stand in a user turn, marked as what it is."""
    return {**block, "text": f"<system>\n{block['text']}\n</system>"}
