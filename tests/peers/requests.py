"""Requests whose way to the provider is worth a comparison, each for the models for which it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.peers.bodies import (
    PDF,
    PERSON,
    PIXEL,
    PROMPT,
    SIGNATURE,
    WEATHER,
    Request,
    ask,
    call,
    called,
    result,
    said,
    with_tools,
)

GPT, REASONING, QWEN = "gpt-4.1-mini", "gpt-6.1-sol", "qwen-3-32b"
HAIKU, OPUS, NEWEST = "claude-haiku-4-5", "claude-opus-4-8", "claude-opus-5-5"
FLASH, OLDER = "gemini-3.8-flash", "gemini-2.5-flash"
CLAUDES, GEMINIS = (HAIKU, OPUS), (FLASH, OLDER)
EVERY = (GPT, QWEN, HAIKU, FLASH)
TRANSLATED = (*CLAUDES, *GEMINIS)


def every() -> Iterator[tuple[Request, str]]:
    for request in REQUESTS:
        for model in request.models:
            yield request, model


TWO = (call("get_weather", id="call_1"), call("get_time", "{}", id="call_2"))

REQUESTS: Sequence[Request] = (
    # -- Who says what --
    Request("system first", EVERY, [said("system", "Be brief."), said("user")]),
    Request("developer first", (*EVERY, REASONING), [said("developer", "Be brief."), said("user")]),
    Request("two system messages", TRANSLATED, [said("system", "One."), said("developer", "Two."), said("user")]),
    Request("system in parts", TRANSLATED, [said("system", [{"type": "text", "text": "Be brief."}]), said("user")]),
    Request(
        "system later",
        (GPT, *TRANSLATED),
        [said("system", "Be brief."), said("user", "Hi."), said("system", "Now be long."), said("user")],
    ),
    Request("system last", TRANSLATED, [said("user"), said("system", "Answer in French.")]),
    Request("system only", TRANSLATED, [said("system")]),
    Request("two user messages", TRANSLATED, [said("user", "One."), said("user")]),
    Request("assistant first", TRANSLATED, [said("assistant", "Hello."), said("user")]),
    Request("assistant last", TRANSLATED, [said("user"), said("assistant", "The answer is ")]),
    Request("empty user text", TRANSLATED, [said("user", ""), said("assistant", "Yes?"), said("user")]),
    Request("empty assistant", TRANSLATED, [said("user", "Hi."), said("assistant", ""), said("user")]),
    Request(
        "named speakers",
        EVERY,
        [said("user", "Hi.", name="alice"), said("assistant", "Yes?"), said("user", name="bob")],
    ),
    # -- Pictures and files --
    Request(
        "image as data",
        EVERY,
        [
            said(
                "user",
                [
                    {"type": "text", "text": PROMPT},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
                ],
            )
        ],
    ),
    Request(
        "image as data of a misnamed kind",
        (HAIKU, FLASH),
        [
            said(
                "user",
                [
                    {"type": "text", "text": PROMPT},
                    {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PIXEL}"}},
                ],
            )
        ],
    ),
    Request(
        "image at an address",
        (GPT, HAIKU),
        [
            said(
                "user",
                [
                    {"type": "image_url", "image_url": {"url": "https://pictures.example/cat.png"}},
                    {"type": "text", "text": PROMPT},
                ],
            )
        ],
    ),
    Request(
        "image as a string",
        (GPT, HAIKU),
        [
            said(
                "user",
                [
                    {"type": "image_url", "image_url": f"data:image/png;base64,{PIXEL}"},
                    {"type": "text", "text": PROMPT},
                ],
            )
        ],
    ),
    Request(
        "a PDF",
        TRANSLATED,
        [
            said(
                "user",
                [
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
                    {"type": "text", "text": PROMPT},
                ],
            )
        ],
    ),
    Request(
        "audio",
        (GPT, HAIKU, FLASH),
        [
            said(
                "user",
                [
                    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                    {"type": "text", "text": PROMPT},
                ],
            )
        ],
    ),
    Request(
        "an unknown part", (HAIKU, FLASH), [said("user", [{"type": "hologram"}, {"type": "text", "text": PROMPT}])]
    ),
    # -- Tools --
    with_tools("tools", (*EVERY, *CLAUDES[1:], *GEMINIS[1:]), said("user")),
    with_tools("tools, any of them", TRANSLATED, said("user"), tool_choice="required"),
    with_tools("tools, none of them", TRANSLATED, said("user"), tool_choice="none"),
    with_tools(
        "tools, this one",
        (*EVERY, NEWEST, OLDER),
        said("user"),
        tool_choice={"type": "function", "function": {"name": "get_time"}},
    ),
    with_tools(
        "tools, some of them",
        (HAIKU, FLASH),
        said("user"),
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "get_time"}}]},
        },
    ),
    with_tools("tools, one at a time", TRANSLATED, said("user"), parallel_tool_calls=False),
    ask("a choice without tools", (HAIKU, FLASH), tool_choice="auto"),
    ask(
        "a strict tool",
        (GPT, HAIKU, FLASH),
        tools=[{"type": "function", "function": {**WEATHER["function"], "strict": True, "parameters": PERSON}}],
    ),
    ask(
        "a tool with a dotted name",
        (HAIKU, FLASH),
        tools=[
            {"type": "function", "function": {"name": "files.read", "parameters": {"type": "object", "properties": {}}}}
        ],
    ),
    ask("a custom tool", (GPT, HAIKU, FLASH), tools=[{"type": "custom", "custom": {"name": "shell"}}]),
    ask(
        "a tool with references",
        (HAIKU, FLASH),
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "draw",
                    "parameters": {
                        "$schema": "https://json-schema.org/draft/2020-12/schema",
                        "type": "object",
                        "properties": {"at": {"$ref": "#/$defs/Point"}},
                        "$defs": {"Point": {"type": "object", "properties": {"x": {"type": ["number", "null"]}}}},
                    },
                },
            }
        ],
    ),
    with_tools(
        "a call and its result",
        EVERY,
        said("user", "Weather?"),
        called(call("get_weather")),
        result("rain"),
        said("user"),
    ),
    with_tools("a result at the end", TRANSLATED, said("user"), called(call("get_weather")), result("rain")),
    with_tools(
        "two calls, results in order",
        TRANSLATED,
        said("user"),
        called(*TWO),
        result("rain"),
        result("noon", of="call_2"),
    ),
    with_tools(
        "two calls, results in the other order",
        TRANSLATED,
        said("user"),
        called(*TWO),
        result("noon", of="call_2"),
        result("rain"),
        said("user", "So?"),
    ),
    with_tools(
        "words and a call", TRANSLATED, said("user"), called(call("get_weather"), content="Let me see."), result("rain")
    ),
    with_tools(
        "a call without arguments", (*TRANSLATED, QWEN), said("user"), called(call("get_time", "")), result("noon")
    ),
    with_tools(
        "a call with broken arguments",
        TRANSLATED,
        said("user"),
        called(call("get_weather", '{"city": "Par')),
        result("rain"),
    ),
    with_tools(
        "a call with arguments that are a list",
        (HAIKU, FLASH),
        said("user"),
        called(call("get_weather", '["Paris"]')),
        result("rain"),
    ),
    with_tools(
        "a call without a result", TRANSLATED, said("user"), called(call("get_weather")), said("user", "Never mind.")
    ),
    with_tools("a result without a call", TRANSLATED, said("user"), result("rain")),
    with_tools(
        "words between the results",
        TRANSLATED,
        said("user"),
        called(*TWO),
        result("rain"),
        said("user", "Hurry."),
        result("noon", of="call_2"),
    ),
    with_tools(
        "a result in parts",
        (HAIKU, FLASH),
        said("user"),
        called(call("get_weather")),
        result([{"type": "text", "text": "rain"}, {"type": "text", "text": "wind"}]),
    ),
    with_tools("an empty result", (HAIKU, FLASH), said("user"), called(call("get_weather")), result("")),
    with_tools(
        "a result that is JSON", (HAIKU, FLASH), said("user"), called(call("get_weather")), result('{"sky": "grey"}')
    ),
    with_tools(
        "an id of another provider",
        TRANSLATED,
        said("user"),
        called(call("get_weather", id="functions.get_weather:0")),
        result("rain", of="functions.get_weather:0"),
    ),
    Request(
        "a history with tools, and none offered",
        TRANSLATED,
        [said("user"), called(call("get_weather")), result("rain")],
    ),
    with_tools(
        "a signed call",
        (FLASH, GPT, HAIKU),
        said("user"),
        called(call("get_weather", id=f"call_1__thought__{SIGNATURE}")),
        result("rain", of=f"call_1__thought__{SIGNATURE}"),
    ),
    with_tools(
        "a signed call in Google's words",
        (FLASH,),
        said("user"),
        called(call("get_weather", extra_content={"google": {"thought_signature": SIGNATURE}})),
        result("rain"),
    ),
    Request(
        "legacy functions",
        EVERY,
        [
            said("user", "Weather?"),
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
            },
            {"role": "function", "name": "get_weather", "content": "rain"},
            said("user"),
        ],
        {"functions": [WEATHER["function"]], "function_call": "auto"},
    ),
    # -- Thinking --
    *(
        ask(f"effort {effort}", (REASONING, *TRANSLATED, NEWEST), reasoning_effort=effort)
        for effort in ("none", "minimal", "low", "medium", "high", "xhigh")
    ),
    ask("effort with little room", (HAIKU,), reasoning_effort="high", max_tokens=2000),
    ask("effort with no room", (HAIKU,), reasoning_effort="high", max_tokens=500),
    ask("effort and a temperature", (HAIKU, OPUS), reasoning_effort="low", temperature=0.2),
    with_tools("effort and a forced tool", (HAIKU, OPUS), said("user"), reasoning_effort="low", tool_choice="required"),
    ask("thinking in Anthropic's words", CLAUDES, thinking={"type": "enabled", "budget_tokens": 2000}, max_tokens=4000),
    with_tools(
        "effort after a call without its thoughts",
        CLAUDES,
        said("user"),
        called(call("get_weather")),
        result("rain"),
        reasoning_effort="low",
    ),
    with_tools(
        "effort after a call with its thoughts",
        CLAUDES,
        said("user"),
        called(
            call("get_weather"),
            thinking_blocks=[{"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE}],
            reasoning_content="Hm.",
        ),
        result("rain"),
        reasoning_effort="low",
    ),
    Request(
        "thoughts without a signature",
        TRANSLATED,
        [said("user", "Hi."), said("assistant", "Yes?", reasoning_content="Hm."), said("user")],
    ),
    # -- Answers of a certain form --
    ask(
        "a JSON schema",
        (*EVERY, OPUS, OLDER),
        response_format={"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}},
    ),
    ask("a JSON object", (*EVERY, OPUS), response_format={"type": "json_object"}),
    with_tools(
        "a JSON schema and tools",
        TRANSLATED,
        said("user"),
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}},
    ),
    # -- Parameters --
    ask("max_tokens", (*EVERY, REASONING), max_tokens=100),
    ask("max_completion_tokens", (*EVERY, REASONING), max_completion_tokens=100),
    ask("both limits", TRANSLATED, max_tokens=100, max_completion_tokens=200),
    ask("temperature", (*EVERY, REASONING, OPUS, OLDER), temperature=0.7),
    ask("temperature above one", (HAIKU,), temperature=1.5),
    ask("temperature and top_p", (GPT, *TRANSLATED), temperature=0.7, top_p=0.9),
    ask("top_p", TRANSLATED, top_p=0.9),
    ask("top_k", TRANSLATED, top_k=20),
    ask("stop", EVERY, stop="END"),
    ask("stops", TRANSLATED, stop=["END", "STOP"]),
    ask("stops of white space", (HAIKU, FLASH), stop=["\n\n", "END"]),
    ask("seed", EVERY, seed=7),
    ask("penalties", EVERY, presence_penalty=0.5, frequency_penalty=0.5),
    ask("logprobs", EVERY, logprobs=True, top_logprobs=2),
    ask("logit_bias", EVERY, logit_bias={"42": 1}),
    ask("one answer", EVERY, n=1),
    ask("two answers", (*EVERY, OLDER), n=2),
    ask("user", EVERY, user="user-17"),
    ask("user by address", (HAIKU,), user="jane@example.com"),
    ask("metadata and store", EVERY, metadata={"a": "b"}, store=False),
    ask("service tier", EVERY, service_tier="auto"),
    ask("verbosity", (REASONING, HAIKU, FLASH), verbosity="low"),
    ask("prediction", (GPT, HAIKU, FLASH), prediction={"type": "content", "content": "Hello."}),
    ask("web search", (HAIKU, FLASH), web_search_options={}),
    ask("cache key", (GPT, HAIKU, FLASH), prompt_cache_key="k"),
    ask("an unknown parameter", EVERY, made_up=1),
    # -- Caching --
    Request(
        "marks for the cache",
        TRANSLATED,
        [
            said("system", [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}]),
            said("user", [{"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]),
        ],
    ),
    ask("a mark on a tool", (HAIKU,), tools=[{**WEATHER, "cache_control": {"type": "ephemeral"}}]),
    # -- Wrong requests --
    Request("no messages", EVERY, []),
    Request("an unknown role", EVERY, [said("narrator")]),
    ask("a temperature that is text", (HAIKU, FLASH), temperature="warm"),
    ask("no tokens", (HAIKU, FLASH), max_tokens=0),
)
