"""What must hold of every answer, tried on answers that nobody thought of: the same ones each time."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.providers.gemini import Gemini
from tests.gateway import streams
from tests.gateway.gemini.asking import ADD, USER, call, result, sent

TEXTS = ["", " ", "a", "Grüße", "…\n", "{", "\n[", "data: ", "\r\n\r\n", "🙂🙃", "\\u0000", '"', "\u2028", "x" * 40]
NAMES = ["add", "look_up", "f"]
KEYS = ["a", "b c", "größe", "x-y"]
FINISHES = ["STOP", "MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL", "SOMETHING_NEW"]
SIGNATURES = ["abcd", "+/+/+A==", "QUJDREVG" * 60]


class Chance:
    """One answer, as the parts of each candidate, and ways to send it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - the same answers every time
        self.candidates = {index: self.parts() for index in range(self.dice.choice([1, 1, 1, 2, 3]))}
        self.finishes = {index: self.dice.choice(FINISHES) for index in self.candidates}
        self.usage = {
            "promptTokenCount": self.dice.randrange(100),
            "candidatesTokenCount": self.dice.randrange(100),
            "thoughtsTokenCount": self.dice.randrange(100),
            "toolUsePromptTokenCount": self.dice.randrange(10),
            "cachedContentTokenCount": self.dice.randrange(150),
        }

    def parts(self) -> list[dict[str, Any]]:
        return [self.part() for _ in range(self.dice.randrange(6))]

    def part(self) -> dict[str, Any]:
        kind = self.dice.choice(["text", "text", "thought", "call", "call", "other"])
        if kind == "other":
            return self.dice.choice([{"executableCode": {"code": "1"}}, {"inlineData": {"data": "aGk="}}, {}])
        if kind != "call":
            said = {"text": "".join(self.dice.choices(TEXTS, k=3))}
            return {**said, "thought": True} if kind == "thought" else said
        made: dict[str, Any] = {"functionCall": {"name": self.dice.choice(NAMES), "args": self.arguments(2)}}
        if self.dice.random() < 0.5:
            made["functionCall"]["id"] = f"id{self.dice.randrange(10**6)}"
        if self.dice.random() < 0.5:
            made["thoughtSignature"] = self.dice.choice(SIGNATURES)
        return made

    def arguments(self, depth: int) -> dict[str, Any]:
        return {key: self.value(depth) for key in self.dice.sample(KEYS, self.dice.randrange(len(KEYS)))}

    def value(self, depth: int) -> Any:
        if depth and self.dice.random() < 0.3:
            return self.dice.choice([self.arguments(depth - 1), [self.value(depth - 1) for _ in range(2)]])
        return self.dice.choice([self.dice.choice(TEXTS), 7, -1.5, True, False, None])

    # -- as one answer --

    def whole(self) -> bytes:
        listed = [
            {"index": index, "content": {"parts": parts}, "finishReason": self.finishes[index]}
            for index, parts in self.candidates.items()
        ]
        self.dice.shuffle(listed)
        return json.dumps({"candidates": listed, "usageMetadata": self.usage}).encode()

    # -- as a stream --

    def stream(self) -> bytes:
        return b"".join(self.event(one) for one in self.items())

    def items(self) -> list[dict[str, Any]]:
        queues = {index: [piece for part in parts for piece in self.pieces(part)]
                  for index, parts in self.candidates.items()}  # fmt: skip
        items: list[dict[str, Any]] = []
        while queues:
            index = self.dice.choice(list(queues))
            taken = self.dice.randrange(1, 4)
            parts, queues[index] = queues[index][:taken], queues[index][taken:]
            candidate: dict[str, Any] = {"index": index}
            if index == 0 and self.dice.random() < 0.3:
                del candidate["index"]  # it is the default
            if parts or self.dice.random() < 0.5:
                candidate["content"] = {"parts": parts, "role": "model"}
            if not queues[index]:
                candidate["finishReason"] = self.finishes[index]
                del queues[index]
            items.append({"candidates": [candidate], "usageMetadata": {"promptTokenCount": 1}})
        items[-1]["usageMetadata"] = self.usage
        return items

    def pieces(self, part: dict[str, Any]) -> list[dict[str, Any]]:
        """The part itself, or what comes to the same in the end."""
        if part.get("text") and self.dice.random() < 0.7:
            at = self.dice.randrange(len(part["text"]) + 1)
            return [{**part, "text": part["text"][:at]}, {**part, "text": part["text"][at:]}]
        if "functionCall" in part and self.dice.random() < 0.5:
            given = {**part["functionCall"]}
            arguments = given.pop("args")
            begun = {**part, "functionCall": {**given, "willContinue": True}}
            plain = {key: value for key, value in arguments.items() if not isinstance(value, dict | list)}
            if len(plain) < len(arguments):  # an empty list has no path that leads into it
                begun["functionCall"]["args"] = arguments
                plain = {}
            values = [piece for key, value in plain.items() for piece in self.values(key, value)]
            return [begun, *({"functionCall": {"partialArgs": [one], "willContinue": True}} for one in values),
                    {"functionCall": {}}]  # fmt: skip
        return [part]

    def values(self, key: str, value: Any) -> list[dict[str, Any]]:
        path = f"$['{key}']"
        if isinstance(value, str):
            at = self.dice.randrange(len(value) + 1)
            first = {"jsonPath": path, "stringValue": value[:at], "willContinue": True}
            return [first, {"jsonPath": path, "stringValue": value[at:]}]
        if value is None:
            return [{"jsonPath": path, "nullValue": "NULL_VALUE"}]
        return [{"jsonPath": path, "boolValue" if isinstance(value, bool) else "numberValue": value}]

    def event(self, payload: dict[str, Any]) -> bytes:
        end = self.dice.choice([b"\r\n", b"\n", b"\r"])
        comment = b": still here" + end * 2 if self.dice.random() < 0.1 else b""
        data = json.dumps(payload, ensure_ascii=self.dice.random() < 0.5).encode()
        return comment + self.dice.choice([b"data: ", b"data:"]) + data + end * 2

    def cut(self, body: bytes) -> list[bytes]:
        places = sorted(self.dice.sample(range(len(body) + 1), min(self.dice.randrange(1, 30), len(body))))
        return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


def gathered(outcome: streams.Outcome) -> dict[int, dict[str, Any]]:
    """What a reader of the chunks has in the end, by choice, in the words of a whole answer."""
    found: dict[int, dict[str, Any]] = defaultdict(lambda: {"content": "", "reasoning_content": "", "tool_calls": []})
    for chunk in outcome.chunks:
        for choice in chunk["choices"]:
            message, delta = found[choice["index"]], choice["delta"]
            message["content"] += delta.get("content") or ""
            message["reasoning_content"] += delta.get("reasoning_content") or ""
            for one in delta.get("tool_calls") or ():
                assert one["index"] == len(message["tool_calls"]), "a call is told in one delta"
                message["tool_calls"].append({key: value for key, value in one.items() if key != "index"})
            message["finish_reason"] = choice["finish_reason"] or message.get("finish_reason")
    return dict(found)


def told(answer: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The same of a whole answer."""
    return {
        choice["index"]: {
            "content": choice["message"]["content"] or "",
            "reasoning_content": choice["message"].get("reasoning_content", ""),
            "tool_calls": choice["message"].get("tool_calls", []),
            "finish_reason": choice["finish_reason"],
        }
        for choice in answer["choices"]
    }


@pytest.mark.parametrize("seed", range(60))
async def test_a_stream_says_what_the_whole_answer_says_however_it_is_sent_and_cut(seed: int) -> None:
    chance = Chance(seed)
    chat = call({"stream": True, "n": len(chance.candidates), "tools": [ADD]})
    answer = Gemini().response(chat, chance.whole()).body
    ChatCompletion.model_validate(answer)
    body = chance.stream()
    outcome = streams.run(Gemini(), chat, [body])
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=True)
    assert gathered(outcome) == told(answer)
    assert outcome.chunks[-1]["usage"] == answer["usage"]
    counts = answer["usage"]
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"]
    for pieces in (chance.cut(body), chance.cut(body), [body[at : at + 1] for at in range(len(body))]):
        assert b"".join(pieces) == body
        assert streams.run(Gemini(), chat, pieces).chunks == outcome.chunks


@pytest.mark.parametrize("seed", range(60, 120))
def test_the_official_client_puts_every_stream_together(seed: int) -> None:
    chance = Chance(seed)
    chance.finishes = dict.fromkeys(chance.candidates, "STOP")  # it raises an error of its own for the others
    chat = call({"stream": True, "n": len(chance.candidates), "tools": [ADD]})
    answer = Gemini().response(chat, chance.whole()).body
    state = ChatCompletionStreamState()
    for chunk in streams.run(Gemini(), chat, [chance.stream()]).chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    for choice, given in zip(state.get_final_completion().choices, answer["choices"], strict=True):
        assert (choice.message.content or "") == (given["message"]["content"] or "")
        calls = [(one.id, one.function.name, one.function.arguments) for one in choice.message.tool_calls or ()]
        assert calls == [
            (one["id"], one["function"]["name"], one["function"]["arguments"])
            for one in given["message"].get("tool_calls", ())
        ]


@pytest.mark.parametrize("seed", range(160, 220))
def test_a_stream_that_is_cut_is_never_a_finished_answer(seed: int) -> None:
    chance = Chance(seed)
    chat = call({"stream": True, "n": len(chance.candidates), "tools": [ADD]})
    items = chance.items()
    for keep in range(len(items)):
        candidates = [one["candidates"][0] for one in items[:keep]]
        begun = set(range(max((one.get("index", 0) for one in candidates), default=-1) + 1))
        ended = {one.get("index", 0) for one in candidates if "finishReason" in one}
        outcome = streams.run(Gemini(), chat, [chance.event(one) for one in items[:keep]])
        ends = {c["index"] for chunk in outcome.chunks for c in chunk["choices"] if c["finish_reason"]}
        if begun and begun == ended:  # nothing says that there is more to come
            assert (outcome.error, ends) == (None, begun)
        else:
            assert outcome.error is not None
            assert (outcome.error.code, ends) == ("upstream_incomplete", set())


@pytest.mark.parametrize("seed", range(220, 300))
@pytest.mark.parametrize("streaming", [False, True])
def test_calls_and_their_signatures_go_back_as_they_came(seed: int, streaming: bool) -> None:
    chance = Chance(seed)
    given = [part for part in chance.candidates[0] if "functionCall" in part]
    chat = call({"stream": streaming, "tools": [ADD]})
    if streaming:
        calls = gathered(streams.run(Gemini(), chat, chance.cut(chance.stream())))[0]["tool_calls"]
    else:
        calls = told(Gemini().response(chat, chance.whole()).body)[0]["tool_calls"]
    if not calls:
        assert not given
        return
    kept = [{key: one[key] for key in ("id", "type", "function")} for one in calls]
    answered = [result(one["id"], "done") for one in chance.dice.sample(kept, len(kept))]
    history = [USER, {"role": "assistant", "content": None, "tool_calls": kept}, *answered]
    _, asked, results = sent({"messages": history, "tools": [ADD]}, capabilities={"thinking": "budget"})["contents"]
    assert [part["functionCall"]["args"] for part in asked["parts"]] == [part["functionCall"]["args"] for part in given]
    assert [part.get("thoughtSignature") for part in asked["parts"]] == [part.get("thoughtSignature") for part in given]
    assert [part["functionResponse"]["id"] for part in results["parts"]] == [
        part["functionCall"]["id"] for part in asked["parts"]
    ]
