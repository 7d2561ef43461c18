"""What compatible servers are known to send, and what it comes to."""

from __future__ import annotations

import json
from typing import Any

COUNTS = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **fields: Any) -> bytes:
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
    if delta is not None:
        choice["delta"] = delta
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: %s\n\n" % json.dumps({**head, **fields}).encode()


def calls(*fragments: dict[str, Any]) -> bytes:
    return chunk({"tool_calls": list(fragments)})


def called(name: str = "", arguments: Any = None, **fields: Any) -> dict[str, Any]:
    function = {**({"name": name} if name else {}), **({} if arguments is None else {"arguments": arguments})}
    return {**fields, "function": function}


END = chunk({}, "stop")
CALLED = chunk({}, "tool_calls")
# Of each its kind, what it sends, and what that comes to: text, reasoning, and the calls' names and arguments.
QUIRKS: dict[str, tuple[str, list[bytes], str, str, list[tuple[str, str]]]] = {
    "Ollama: the role in every chunk, reasoning under its own name": (
        "ollama",
        [
            chunk({"role": "assistant", "content": "", "reasoning": "hm"}),
            chunk({"role": "assistant", "content": "yes"}),
            chunk({"role": "assistant", "content": ""}, "stop"),
            DONE,
        ],
        "yes",
        "hm",
        [],
    ),
    "llama.cpp: content that is null, timings, a clock that goes on": (
        "llamacpp",
        [
            chunk({"role": "assistant", "content": None}),
            chunk({"reasoning_content": "hm"}, created=2),
            chunk({"content": "yes"}, created=3),
            chunk({}, "stop", timings={"predicted_n": 3}),
            DONE,
        ],
        "yes",
        "hm",
        [],
    ),
    "vLLM: reasoning under both names, empty tool calls, no [DONE]": (
        "vllm",
        [
            chunk({"role": "assistant", "content": ""}, usage=COUNTS),
            chunk({"reasoning": "hm", "reasoning_content": "hm", "tool_calls": []}, usage=COUNTS),
            chunk({"content": "yes", "tool_calls": None}, usage=COUNTS),
            chunk({}, "stop", usage=COUNTS),
        ],
        "yes",
        "hm",
        [],
    ),
    "Groq: usage in a field of its own": (
        "groq",
        [
            chunk({"role": "assistant", "content": "yes"}, x_groq={"id": "r"}),
            chunk({}, "stop", x_groq={"id": "r", "usage": COUNTS}),
            DONE,
        ],
        "yes",
        "",
        [],
    ),
    "xAI: whole calls in one delta": (
        "xai",
        [
            chunk({"role": "assistant", "content": ""}),
            calls(
                called("f", '{"a":1}', index=0, id="a", type="function"),
                called("g", "{}", index=1, id="b", type="function"),
            ),
            CALLED,
            DONE,
        ],
        "",
        "",
        [("f", '{"a":1}'), ("g", "{}")],
    ),
    "Mistral: content in parts": (
        "mistral",
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}]}, p="abc"),
            chunk({"content": [{"type": "thinking", "thinking": "m", "closed": True}, {"type": "text", "text": "ye"}]}),
            chunk({"content": [{"type": "reference", "reference_ids": [1]}, "s"]}),
            chunk({"content": ""}, "model_length", usage=COUNTS),
            DONE,
        ],
        "yes",
        "hm",
        [],
    ),
    "DeepSeek: reasoning first, usage with the finish": (
        "deepseek",
        [
            chunk({"role": "assistant", "content": None, "reasoning_content": ""}),
            chunk({"content": None, "reasoning_content": "hm"}),
            chunk({"content": "yes", "reasoning_content": None}),
            chunk({"content": ""}, "stop", usage={**COUNTS, "prompt_cache_hit_tokens": 4}),
            DONE,
        ],
        "yes",
        "hm",
        [],
    ),
    "OpenRouter: comments, details in lists, a second finish": (
        "openrouter",
        [
            b": OPENROUTER PROCESSING\n\n",
            chunk({"role": "assistant", "content": "", "reasoning": "hm", "reasoning_details": [{"text": "hm"}]}),
            chunk({"role": "assistant", "content": "yes"}, native_finish_reason=None),
            chunk({"role": "assistant", "content": ""}, "stop"),
            chunk({"role": "assistant", "content": ""}, "stop", usage=COUNTS),
            DONE,
        ],
        "yes",
        "hm",
        [],
    ),
    "Together: the end by its token": ("together", [chunk({"content": "yes"}), chunk({}, "eos"), DONE], "yes", "", []),
    "an endpoint that numbers no calls": (
        "openai_compatible",
        [
            calls(called("f", '{"a":1}', id="a")),
            calls(called("g", '{"b":', id="b")),
            calls(called(arguments="2}")),
            CALLED,
        ],
        "",
        "",
        [("f", '{"a":1}'), ("g", '{"b":2}')],
    ),
    "one that numbers its blocks, and begins with text": (
        "openai_compatible",
        [
            chunk({"role": "assistant"}),
            chunk({"content": "so"}),
            calls(called("f", "", index=1, id="a")),
            calls(called(arguments='{"a":1}', index=1)),
            CALLED,
        ],
        "so",
        "",
        [("f", '{"a":1}')],
    ),
    "one that gives every call the same number": (
        "openai_compatible",
        [
            calls(called("f", '{"a":1}', index=0, id="a")),
            calls(called("g", "", index=0, id="b")),
            calls(called(arguments="{}", index=0)),
            CALLED,
        ],
        "",
        "",
        [("f", '{"a":1}'), ("g", "{}")],
    ),
    "one that mixes the pieces of two calls": (
        "openai_compatible",
        [
            calls(called("f", "", index=0, id="a"), called("g", "", index=1, id="b")),
            calls(called(arguments='{"a"', index=0), called(arguments='{"b"', index=1)),
            calls(called(arguments=":1}", index=1), called(arguments=":2}", index=0)),
            CALLED,
        ],
        "",
        "",
        [("f", '{"a":2}'), ("g", '{"b":1}')],
    ),
    "one that repeats id and name with every piece": (
        "openai_compatible",
        [
            calls(called("f", '{"a":', index=0, id="a", type="function")),
            calls(called("f", "1}", index=0, id="a", type="function")),
            calls(called(arguments="", index=0, id="")),
            CALLED,
        ],
        "",
        "",
        [("f", '{"a":1}')],
    ),
    "one that gives neither ids nor numbers": (
        "openai_compatible",
        [calls(called("f", '{"a":1}')), calls(called("g", '{"b":')), calls(called(arguments="2}")), CALLED],
        "",
        "",
        [("f", '{"a":1}'), ("g", '{"b":2}')],
    ),
    "one that leaves empty arguments empty": (
        "openai_compatible",
        [
            calls(called("f", "", index=0, id="a")),
            calls(called("g", None, index=1, id="b")),
            calls(called(arguments=None, index=1)),
            CALLED,
        ],
        "",
        "",
        [("f", "{}"), ("g", "{}")],
    ),
    "one that sends arguments as an object, and finishes at once": (
        "openai_compatible",
        [chunk({"tool_calls": [called("f", {"a": 1}, index=0), called("g", "", index=1)]}, "tool_calls"), DONE],
        "",
        "",
        [("f", '{"a":1}'), ("g", "{}")],
    ),
    "one without roles, identity or deltas": (
        "openai_compatible",
        [
            b'data: {"choices":[{"delta":{"content":"ye"}}]}\n\n',
            b'data: {"choices":[{"index":null,"delta":{"content":"s"}}]}\n\n',
            b'data: {"choices":[{"finish_reason":"stop"}]}\n\n',
        ],
        "yes",
        "",
        [],
    ),
    "one whose reasons are empty until the last": (
        "openai_compatible",
        [chunk({"content": "ye"}, ""), chunk({"content": "s"}, ""), END, DONE],
        "yes",
        "",
        [],
    ),
    "one whose last reason is empty": (
        "openai_compatible",
        [chunk({"content": "yes"}), chunk({}, ""), DONE],
        "yes",
        "",
        [],
    ),
    "one that keeps the line alive with empty events": (
        "openai_compatible",
        [b"data:\n\n", chunk({"content": "yes"}), b"data: \n\n", END, b"data:[DONE] \n\n"],
        "yes",
        "",
        [],
    ),
    "one that sends counts of nothing last": (
        "openai_compatible",
        [
            chunk({"content": "yes"}),
            chunk({}, "stop", usage=COUNTS),
            chunk({}, "stop", usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        ],
        "yes",
        "",
        [],
    ),
}
