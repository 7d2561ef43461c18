"""What must hold of every history and of every answer, tried on many of each."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from gateway import schemas
from gateway.errors import ApiError
from gateway.providers.anthropic import Anthropic
from tests.gateway import streams
from tests.gateway.anthropic import events
from tests.gateway.anthropic.histories import Message, assistant, result
from tests.gateway.anthropic.reading import LOOK, arguments, chunks
from tests.gateway.anthropic.rules import OLD, USER, sent

MODELS: dict[str, dict[str, Any]] = {
    "unknown": {},
    "with budgets": OLD,
    "between": {"sampling": "one", "mid_conversation_system": False, "efforts": ["low", "high"]},
    "unforced": {"forced_tool_choice": False},
    "plain": {"thinking": "none", "sampling": "both", "vision": False, "pdf": False, "prefill": True},
}
IDS = ["call_1", "functions.f:0", "functions.f_0", "x" * 90, "x" * 91, "ü", "a b", ""]
NAMES = ["look", "a.b", "a_b", "a/b", "ü", "n" * 130, "json_answer", "web_search"]
MARK = {"cache_control": {"type": "ephemeral"}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
PARTS: list[Any] = [
    {"type": "text", "text": "part"},
    {"type": "text", "text": " \n"},
    {"type": "text", "text": "kept", **MARK},
    PICTURE,
    {"type": "image_url", "image_url": "https://x.test/a.png"},
    {"type": "file", "file": {"file_data": "JVBERi0xLjQK", "filename": "a.pdf"}},
    {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
    {"type": "refusal", "refusal": "No."},
]
THOUGHTS = [
    [{"type": "thinking", "thinking": "hm", "signature": "s"}],
    [{"type": "redacted_thinking", "data": "xyz"}],
    [{"type": "thinking", "thinking": "unsigned"}],
]


def history(chance: random.Random) -> list[Message]:
    """Any history that OpenAI would take: each call answered before the next assistant message, in any order."""
    messages: list[Message] = []
    for _ in range(chance.randint(1, 6)):
        calls = chance.sample(IDS, chance.randint(0, 4))
        spoken = chance.choice([None, "", " ", "hm ", [{"type": "text", "text": "part"}]])
        thoughts = {"thinking_blocks": chance.choice(THOUGHTS)} if chance.random() < 0.3 else {}
        messages.append(assistant(spoken, *calls, **thoughts))
        between = [result(call, call) for call in calls]
        for _ in range(chance.randint(0, 3)):
            role = chance.choice(["user", "system", "developer"])
            between.append({"role": role, "content": chance.choice(["", "hi", [{"type": "text", "text": " "}]])})
        chance.shuffle(between)
        messages += between
    return [USER] * chance.randint(0, 2) + messages + [USER] * chance.randint(0, 1)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("effort", [None, "high"])
def test_any_order_of_tool_messages_makes_a_history_that_anthropic_takes(model: str, effort: str | None) -> None:
    chance = random.Random(2389)  # noqa: S311 - to vary a test, not to hide anything
    checked = 0
    while checked < 120:
        messages = history(chance)
        if not any(m.get("tool_calls") or m["role"] == "user" for m in messages):
            continue
        body = {"messages": messages, "tools": chance.choice([[LOOK], None]), "reasoning_effort": effort}
        made = sent(body, capabilities=MODELS[model])["messages"]  # `sent` checks the rules
        asked_at = {
            block["id"]: block["input"]["at"] for m in made for block in m["content"] if block["type"] == "tool_use"
        }
        answers = [block for m in made for block in m["content"] if block["type"] == "tool_result"]
        assert all(asked_at[block["tool_use_id"]] == block["content"] for block in answers)
        assert len(answers) == sum(message["role"] == "tool" for message in messages)
        checked += 1


def anything(chance: random.Random) -> dict[str, Any]:
    """A request that the edge lets through, sensible or not."""
    messages: list[Message] = []
    for _ in range(chance.randint(1, 8)):
        message = _message(chance)
        answers = [
            result(call["id"], chance.choice(["seen", [PARTS[2], PICTURE]])) for call in message.get("tool_calls", ())
        ]
        messages += [message, *(answer for answer in answers if chance.random() < 0.95)]
    fields: dict[str, list[Any]] = {
        "tools": [[], [LOOK], [LOOK, LOOK], [_tool(chance) for _ in range(chance.randint(1, 4))]],
        "functions": [[{"name": "look"}, {"name": "a.b", "parameters": {"anyOf": [{"type": "object"}]}}]],
        "tool_choice": ["auto", "none", "required", {"type": "function", "function": {"name": chance.choice(NAMES)}}],
        "function_call": ["auto", {"name": "look"}],
        "parallel_tool_calls": [True, False],
        "reasoning_effort": ["none", "low", "max", {"effort": "high"}],
        "thinking": [{"type": "enabled", "budget_tokens": 9}, {"type": "adaptive"}, {"type": "disabled"}],
        "response_format": [
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"oneOf": [{"properties": {"a": {}}}]}}},
        ],
        "temperature": [0, 2.0],
        "top_p": [0.5],
        "top_k": [5],
        "max_tokens": [1, 1024, 1025, 9000],
        "stop": [" ", ["a", ""]],
        "user": ["u"],
        "web_search_options": [{}],
        **MARK_FIELD,
    }
    chosen = {name: chance.choice(values) for name, values in fields.items() if chance.random() < 0.3}
    return {"model": "m", "messages": messages, **chosen}


MARK_FIELD = {"cache_control": [MARK["cache_control"]]}


def _message(chance: random.Random) -> Message:
    role = chance.choice(["system", "developer", *["user", "assistant"] * 8, "tool", "function"])
    parts = [chance.choice(PARTS[:5] if chance.random() < 0.9 else PARTS) for _ in range(chance.randint(0, 3))]
    if role in {"system", "developer", "assistant"} and chance.random() < 0.9:
        parts = [part for part in parts if part["type"] == "text"]
    message: Message = {"role": role, "content": chance.choice(["", "hi", None, parts])}
    if chance.random() < 0.1:
        message |= MARK
    if role == "tool" and chance.random() < 0.95:
        message["tool_call_id"] = chance.choice(IDS[:3])
    if role == "function":
        message["name"] = chance.choice(NAMES[:2])
    if role == "assistant" and chance.random() < 0.4:
        message["tool_calls"] = [_call(chance) for _ in range(chance.randint(0, 2))]
    if role == "assistant" and chance.random() < 0.02:
        message["function_call"] = {"name": chance.choice(NAMES[:2]), "arguments": "{}"}
    if role == "assistant" and chance.random() < 0.3:
        message["thinking_blocks"] = chance.choice(THOUGHTS)
    return message


def _call(chance: random.Random) -> Message:
    name, at = chance.choice(NAMES), chance.choice(IDS[:3])
    if chance.random() < 0.2:
        return {"id": at, "type": "custom", "custom": {"name": name, "input": "x"}}
    return {"id": at, "type": "function", "function": {"name": name, "arguments": chance.choice(["", "{", '{"a":1}'])}}


def _tool(chance: random.Random) -> Message:
    name = chance.choice(NAMES)
    if chance.random() < 0.3:
        return {"type": "custom", "custom": {"name": name}}
    schema = {"type": "object", "anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {"$ref": "#/$defs/A"}]}
    return {"type": "function", "function": {"name": name, "parameters": chance.choice([None, {}, schema])}, **MARK}


def _passes_the_edge(body: dict[str, Any]) -> bool:
    """What does not is refused before it comes to a translation."""
    try:
        schemas.check_chat(body)
    except ApiError:
        return False
    return True


@pytest.mark.parametrize("model", MODELS)
def test_whatever_comes_is_taken_by_anthropic_or_refused_by_name(model: str) -> None:
    chance = random.Random(f"2389 {model}")  # noqa: S311 - to vary a test, not to hide anything
    taken, refused = 0, list[ApiError]()
    for body in filter(_passes_the_edge, (anything(chance) for _ in range(1500))):
        options = {"web_search": True, "cache_prompts": chance.random() < 0.5}
        try:
            sent(body, capabilities=MODELS[model], options=options)
            taken += 1
        except ApiError as error:
            refused.append(error)
    assert {(error.status, error.type) for error in refused} == {(400, "invalid_request_error")}
    assert all(error.param and error.message.endswith(".") for error in refused)
    assert min(taken, len(refused)) > 50


SAID = ["a", "Grüße ", '"\n', "🙂", "{}", ""]


def blocks(chance: random.Random) -> Iterator[tuple[dict[str, Any], list[events.Event]]]:
    """Blocks as they come whole, each with the events by which it comes in a stream."""
    for index in range(chance.randint(0, 6)):
        kind = chance.choice(["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "brand_new"])
        pieces = [chance.choice(SAID) for _ in range(chance.randint(0, 3))]
        whole = "".join(pieces)
        if kind == "text":
            cited = [{"type": "web_search_result_location", "url": f"https://{index}.test", "title": None}]
            cited = cited if chance.random() < 0.3 else []
            begun, *told, closed = events.text(index, *pieces)
            cites = [events.delta(index, "citations", citation=citation) for citation in cited]
            yield {"type": kind, "text": whole, "citations": cited}, [begun, *told, *cites, closed]
        elif kind == "thinking":
            signature = chance.choice(["", "sig"])
            thought = {"type": kind, "thinking": whole, "signature": signature}
            yield thought, events.thinking(index, *pieces, signature=signature)
        elif kind == "redacted_thinking":
            yield {"type": kind, "data": "x"}, [events.opened(index, kind, data="x"), events.closed(index)]
        else:
            given = {piece: [piece] for piece in pieces}
            name = chance.choice(["look", "a_b", "run"])
            if name == "run":
                given = {"input": whole}  # type: ignore[dict-item]
            written = json.dumps(given, ensure_ascii=chance.random() < 0.5) if given else ""
            cut = chance.randint(0, len(written))
            use = {"type": kind, "id": f"toolu_{index}", "name": name, "input": given}
            yield use, events.tool(index, written[:cut], written[cut:], name=name, kind=kind)


TOOLS = [LOOK, {"type": "function", "function": {"name": "a.b"}}]
RUN = {"type": "custom", "custom": {"name": "run"}}
ASKED: dict[str, dict[str, Any]] = {
    "tools": {"tools": TOOLS},
    "functions": {"functions": [{"name": "look"}, {"name": "a.b"}]},
    "a custom tool": {"tools": [*TOOLS, RUN]},
    "nothing": {},
}


def joined(made: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a client puts together from a stream."""
    message: dict[str, Any] = {}
    for delta in (choice["delta"] for chunk in made for choice in chunk["choices"]):
        for key in ("content", "reasoning_content", "refusal"):
            message[key] = message.get(key, "") + (delta.get(key) or "")
        for key in ("thinking_blocks", "annotations"):
            message.setdefault(key, []).extend(delta.get(key, ()))
        for piece in [*delta.get("tool_calls", ()), *filter(None, [delta.get("function_call")])]:
            calls = message.setdefault("calls", [])
            if piece.get("index", 0) == len(calls):
                calls.append({"id": piece.get("id"), "said": ""})
            of = calls[piece.get("index", 0)]
            told = piece.get("function") or piece.get("custom") or piece
            of["name"] = of.get("name") or told["name"]
            of["said"] += told.get("arguments") or told.get("input") or ""
    for key in ("thinking_blocks", "annotations"):
        assert [entry.pop("index") for entry in message[key]] == list(range(len(message[key])))
    return message


def whole_message(body: dict[str, Any]) -> dict[str, Any]:
    """The same of an answer that came whole."""
    message = body["choices"][0]["message"]
    calls = list(message.get("tool_calls") or filter(None, [message.get("function_call")]))
    found = [(call.get("id"), call.get("function") or call.get("custom") or call) for call in calls]
    made = {key: message.get(key) or "" for key in ("content", "reasoning_content", "refusal")}
    made |= {key: message.get(key, []) for key in ("thinking_blocks", "annotations")}
    listed = [
        {"id": at, "said": told.get("arguments") or told.get("input") or "", "name": told["name"]} for at, told in found
    ]
    return {**made, "calls": listed} if listed else made


def read(message: dict[str, Any], *, custom: str) -> dict[str, Any]:
    """With arguments read as JSON, whose spaces may differ."""
    calls = [
        {**call, "said": call["said"] if call["name"] == custom else json.loads(call["said"])}
        for call in message.get("calls", ())
    ]
    return {**message, "calls": calls}


@pytest.mark.parametrize("asked", ASKED)
def test_a_stream_says_what_the_whole_answer_says_however_it_is_cut(asked: str) -> None:
    chance = random.Random(f"2389 {asked}")  # noqa: S311 - to vary a test, not to hide anything
    custom = "run" if asked == "a custom tool" else ""
    for number in range(80):
        made = list(blocks(chance))
        stop = chance.choice(["end_turn", "tool_use", "max_tokens", "refusal", "pause_turn", "brand_new"])
        details = {"type": "refusal", "explanation": "Not this."} if stop == "refusal" else None
        sequence = [
            events.start(),
            *(event for _, told in made for event in told),
            *events.ended(stop, stop_details=details),
        ]
        call = streams.call({"messages": [USER], "stream": True, **ASKED[asked]}, kind="anthropic")
        body = events.wire(sequence, chance.choice(["\n", "\r\n", "\r"]))
        outcome = streams.run(Anthropic(), call, [body])
        assert outcome.error is None
        counts = {"input_tokens": 10, "output_tokens": 5}
        answer = {
            "content": [block for block, _ in made], "stop_reason": stop, "stop_details": details, "usage": counts,
        }  # fmt: skip
        whole = Anthropic().response(call, json.dumps(answer).encode())
        if not custom:
            ChatCompletion.model_validate(whole.body)
        said = copy.deepcopy(outcome.chunks)
        assert read(joined(said), custom=custom) == read(whole_message(whole.body), custom=custom)
        assert outcome.chunks[-2]["choices"][0]["finish_reason"] == whole.finish_reason
        assert outcome.chunks[-1]["usage"] == whole.body["usage"]
        cuts = [[body[at : at + 1] for at in range(len(body))]] if number < 20 else []
        if number == 0:
            cuts += [[body[:at], body[at:]] for at in range(len(body))]
        assert all(streams.run(Anthropic(), call, pieces).chunks == outcome.chunks for pieces in cuts)


def test_the_clients_own_library_takes_every_stream() -> None:
    chance = random.Random(2389)  # noqa: S311 - to vary a test, not to hide anything
    for _ in range(100):
        sequence = [event for _, told in blocks(chance) for event in told]
        made = chunks(events.start(), *sequence, *events.ended(), usage=True, asked={"tools": TOOLS})
        assert all(isinstance(json.loads(said), dict) for said in arguments(made).values())
