"""What must hold of every history and of every answer, tried on many of each."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.gateway.anthropic.histories import Message, assistant, result
from tests.gateway.anthropic.rules import OLD, USER, sent

IDS = ["call_1", "functions.f:0", "functions.f_0", "x" * 90, "x" * 91, "ü", "a b"]


def history(chance: random.Random) -> list[Message]:
    """Any history that OpenAI would take: each call answered before the next assistant message, in any order."""
    messages: list[Message] = []
    for _ in range(chance.randint(1, 6)):
        calls = chance.sample(IDS, chance.randint(0, 4))
        spoken = chance.choice([None, "", " ", "hm ", [{"type": "text", "text": "part"}]])
        messages.append(assistant(spoken, *calls))
        between = [result(call, call) for call in calls]
        for _ in range(chance.randint(0, 3)):
            role = chance.choice(["user", "system", "developer"])
            between.append({"role": role, "content": chance.choice(["", "hi", [{"type": "text", "text": " "}]])})
        chance.shuffle(between)
        messages += between
    return [USER] * chance.randint(0, 2) + messages + [USER] * chance.randint(0, 1)


@pytest.mark.parametrize("capabilities", [{}, OLD, {"prefill": True, "mid_conversation_system": True}], ids=str)
@pytest.mark.parametrize("effort", [None, "high"])
def test_any_order_of_tool_messages_makes_a_history_that_anthropic_takes(
    capabilities: dict[str, Any], effort: str | None
) -> None:
    chance = random.Random(2389)  # noqa: S311 - to vary a test, not to hide anything
    tools = [{"type": "function", "function": {"name": "look"}}]
    checked = 0
    while checked < 400:
        messages = history(chance)
        if all(message["role"] in {"system", "developer"} for message in messages):
            continue
        if not any(m.get("tool_calls") or m["role"] == "user" for m in messages):
            continue
        body = {"messages": messages, "tools": chance.choice([tools, None]), "reasoning_effort": effort}
        made = sent(body, capabilities=capabilities)["messages"]  # `sent` checks the rules
        asked_at = {
            block["id"]: block["input"]["at"] for m in made for block in m["content"] if block["type"] == "tool_use"
        }
        answers = [block for m in made for block in m["content"] if block["type"] == "tool_result"]
        assert all(asked_at[block["tool_use_id"]] == block["content"] for block in answers)
        assert len(answers) == sum(message["role"] == "tool" for message in messages)
        checked += 1
