"""Whatever is sent, the answer is an answer: never a fault of ours, always one shape, always a row."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import orjson
import pytest

from billing.models import UsageEvent
from tests import live
from tests.end_to_end.conftest import MakeCaller
from tests.end_to_end.registry import CLAUDE, GPT
from tests.fakes.openai import UNRECOGNIZED

BODIES = 150  # of each seed
SEEDS = range(4)
MODELS = ("sandbox/echo", "sandbox/tool", CLAUDE, GPT)
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"sky"}'}}
WHOLE: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "Ada", "content": [{"type": "text", "text": "Look."}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "blue"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
            ],
        },
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "look",
                "description": "Looks.",
                "strict": False,
                "parameters": {"type": "object", "properties": {"at": {"type": "string", "enum": ["sky", "sea"]}}},
            },
        }
    ],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    "metadata": {"a": "b"},
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 50,
    "n": 1,
    "stop": ["END"],
    "seed": 7,
    "logit_bias": {"50256": -100},
    "reasoning_effort": "low",
    "user": "u",
    "stream": True,
    "stream_options": {"include_usage": True},
    "parallel_tool_calls": True,
}
NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 1.5, -0.0, 1e308, 2**31, 2**53, 2**63, 2**64, 10**30),
    *("", " ", "\x00", "a\x00b", "\u202e", "é😀", "null", "[", "%s{}", "../..", "x" * 5000, "data:,", "data:;base64,"),
    *([], {}, [[]], [None], {"": None}, [{}], {"type": "text"}, {"type": None}, [0] * 200, {"a": {"b": [1]}}),
    *("system", "user", "assistant", "tool", "function", "image_url", "auto", "required", "none", "object"),
)


def mutated(chance: random.Random) -> bytes:
    """A valid body, of which one to three things are changed; and now and then its bytes."""
    body = {"model": chance.choice(MODELS), **copy.deepcopy(WHOLE)}
    for name in chance.sample(sorted(WHOLE), chance.randrange(len(WHOLE))):
        if name != "messages":
            del body[name]
    for _ in range(chance.randint(1, 3)):
        holder, place = chance.choice(list(_places(body)))
        _change(holder, place, chance)
    content = bytearray(json.dumps(body).encode())
    if chance.random() < 0.1:
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content[: chance.randrange(len(content))] if chance.random() < 0.03 else content)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, one in inner:
        yield value, place
        yield from _places(one)


def _change(holder: Any, place: Any, chance: random.Random) -> None:
    how = chance.random()
    if how < 0.6:
        holder[place] = copy.deepcopy(chance.choice(NASTY))
    elif how < 0.75:
        del holder[place]
    elif how < 0.85 and isinstance(holder, list):
        holder[place:place] = [copy.deepcopy(holder[place])] * chance.choice((1, 3, 150))
    elif isinstance(holder, dict):
        holder[chance.choice(("x", "", "type", "content", "\x00", "name"))] = copy.deepcopy(chance.choice(NASTY))
    else:
        chance.shuffle(holder)


def complaint(answer: httpx.Response, content: bytes) -> str:
    """What is wrong with an answer, or nothing."""
    if answer.status_code >= 500:
        return f"it is {answer.status_code}"
    if not answer.headers.get("x-request-id"):
        return "it has no id"
    if answer.status_code == 200:
        return ""
    if set(answer.json()) != {"error"}:
        return "it is more than an error"
    error = answer.json()["error"]
    if set(error) - {"limit"} != {"message", "type", "param", "code"}:
        return "it has not the four keys"
    if not (isinstance(error["message"], str) and error["message"] and isinstance(error["type"], str)):
        return "it does not say what is wrong"
    if error["message"].startswith(UNRECOGNIZED):
        return ""  # the vendor's own word on a field that we pass on, and that it names in no other way
    return "it names no field" if error["param"] is None and _is_object(content) else ""


def _is_object(content: bytes) -> bool:
    try:
        return isinstance(orjson.loads(content), dict)
    except orjson.JSONDecodeError:
        return False


@pytest.mark.parametrize("seed", SEEDS)
def test_no_body_makes_us_fail_and_every_one_has_its_row(make_caller: MakeCaller, seed: int) -> None:
    chance, caller = random.Random(seed), make_caller()  # noqa: S311 - so that it can be told again
    bodies = [mutated(chance) for _ in range(BODIES)]
    headers = {"content-type": "application/json"}

    def send(content: bytes) -> httpx.Response:
        while True:
            answer = caller.http.post("/chat/completions", content=content, headers=headers)
            if answer.status_code != 408:  # a busy machine was slower than these tests' gateway waits for a body
                return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, bodies))
    found = [(complaint(*pair), pair[0].text[:300], pair[1]) for pair in zip(answers, bodies, strict=True)]
    faults = [one for one in found if one[0]]
    assert not faults, "\n".join(map(str, faults))
    seen = Counter(answer.status_code for answer in answers)
    assert seen[200] >= 5  # else it would say little about what lies behind the checks
    assert seen[400] >= BODIES / 3
    given = {answer.headers["x-request-id"]: answer.status_code for answer in answers}
    rows = UsageEvent.objects.of(caller.organization).values_list("request_id", "status")
    with suppress(AssertionError):
        live.wait_for(lambda: rows.count() >= BODIES, seconds=10)
    recorded = {str(request_id): status for request_id, status in rows}
    assert recorded == given
