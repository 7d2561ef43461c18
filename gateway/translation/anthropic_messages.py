"""The caller's messages as Anthropic's: a system prompt, then turns that alternate, each tool result where it must be.

A run of user, tool and function messages becomes one user turn with the results first; a run of assistant
messages becomes one assistant turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway import errors
from gateway.translation.anthropic_calls import Calls
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.anthropic_content import Block, blocks, mark, text_blocks
from gateway.translation.anthropic_names import ToolNames
from gateway.translation.anthropic_thoughts import KINDS, thinking_blocks

PLACEHOLDER = "."  # stands where Anthropic needs a turn and the caller said nothing
CONTINUE = "Continue."  # asks a model that takes no prefill to go on from what it is given


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
        """Whether a model with budgets would miss thinking blocks in front of the last assistant turn's tool calls."""
        last: list[Block] = next((m["content"] for m in reversed(self.messages) if m["role"] == "assistant"), [])
        return any(block["type"] == "tool_use" for block in last) and last[0]["type"] not in KINDS


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
    return Conversation(walk.system, walk.messages, list(walk.calls.names))


def _end_with_prefill(turns: list[dict[str, Any]], takes: Capabilities, options: Mapping[str, Any], *, at: str) -> None:
    last = turns[-1]["content"][-1]
    last["text"] = last["text"].rstrip()  # trailing space in a prefill is refused
    if takes.prefill:  # the thoughts before a prefill are refused, because the model cannot think now
        turns[-1]["content"] = [block for block in turns[-1]["content"] if block["type"] not in KINDS]
        return
    if options.get("prefill") == "refuse":
        raise errors.invalid(
            f"'{at}' is an assistant message, which this model does not continue. End with a user message.",
            param=at,
            code="unsupported_value",
        )
    turns.append({"role": "user", "content": [{"type": "text", "text": CONTINUE}]})


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
        self.calls = Calls(names)
        self._takes = takes
        self._hoist = hoist and not takes.mid_conversation_system
        self._leading = True
        self._run = _Run()

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
            said = blocks(message.get("content"), at=f"{at}.content", takes=self._takes)
            self._run.rest += [("user", block) for block in mark(said, message.get("cache_control"))]
        else:
            self._result(message, at)

    def finish(self) -> None:
        self._close_run()
        self.calls.check_answered()

    def _system(self, message: Mapping[str, Any], at: str) -> None:
        said = mark(text_blocks(message.get("content"), at=f"{at}.content"), message.get("cache_control"))
        if self._leading or self._hoist:
            self.system += said
        else:
            self._run.rest += [("system", block) for block in said]

    def _assistant(self, message: Mapping[str, Any], at: str) -> None:
        said = text_blocks(message.get("content"), at=f"{at}.content", kinds=("text", "refusal"))
        if not said and isinstance(message.get("refusal"), str):
            said = text_blocks(message["refusal"], at=f"{at}.refusal")
        calls = self.calls.of(message, at)
        if message.get("audio") is not None and not said:
            raise errors.invalid(
                f"'{at}.audio' is an answer that was spoken. This model does not hear: send its transcript as content.",
                param=f"{at}.audio",
            )
        if not said and not calls:
            return
        self._close_run()
        content = self._thoughts(message) + said + [call.block for call in calls]
        self._turn("assistant", mark(content, message.get("cache_control")))
        self.calls.wait_for(calls)

    def _thoughts(self, message: Mapping[str, Any]) -> list[Block]:
        """A turn has thoughts at its beginning or nowhere: those of a message that joins a turn may be too late."""
        joins = bool(self.messages) and self.messages[-1]["role"] == "assistant"
        if self._takes.thinking == "none" or (joins and self.messages[-1]["content"][0]["type"] not in KINDS):
            return []
        return thinking_blocks(message)

    def _result(self, message: Mapping[str, Any], at: str) -> None:
        result: Block = {"type": "tool_result", "tool_use_id": self.calls.answer(message, at)}
        content, marks = message.get("content"), []
        if not isinstance(content, str):
            parts = blocks(content, at=f"{at}.content", takes=self._takes)
            marks = [part.pop("cache_control") for part in parts if "cache_control" in part]
            content = parts or ""
        result["content"] = content
        mark([result], marks[-1] if marks else None)  # a mark stands on the result, not in it
        self._run.results += mark([result], message.get("cache_control"))

    def _close_run(self) -> None:
        """Write the user turn that has gathered, then what the system said in it where the model takes that."""
        run, self._run = self._run, _Run()
        if not run:
            return
        self.calls.check_answered()
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


def _quoted(block: Block) -> Block:
    """A system message that has to stand in a user turn, marked as what it is."""
    return {**block, "text": f"<system>\n{block['text']}\n</system>"}
