"""The rows about endpoints, answers, messages, tools and JSON."""

from __future__ import annotations

from gateway.translation.anthropic_request import ONLY_JSON
from tests.compatibility.asking import USER
from tests.compatibility.families import EMBEDDERS, FAMILIES, GEMINI_EMBEDDERS
from tests.compatibility.features import PASSED, Feature, Section, Way, adapted, yes
from tests.compatibility.looks import (
    ADD,
    ANSWERED,
    ASKED,
    BRIEF,
    FUNCTIONS_AS_TOOLS,
    GREP,
    NOT_REASONING,
    SCHEMA,
    SENT,
    SUBTRACT,
    TOOL,
    WHY_NO_TOOLS,
    block,
    calls,
    choice,
    config,
    delta,
    has,
    mode,
    part,
    text,
)
from tests.compatibility.vendors import AS_JSON

BY_ITS_WORD = {"openai_compatible": "With `embeddings = true` in the registry it is passed on."}
ENDPOINTS = Section(
    "Endpoints",
    (
        Feature("`/v1/chat/completions`", {}, (SENT,), (ASKED,), basic=True, back=text),
        Feature(
            "`/v1/completions`",
            {"prompt": "Once"},
            back=lambda seen: seen.answer["choices"][0]["text"],
            endpoint="completions",
        ),
        Feature(
            "`/v1/completions`, streamed",
            {"prompt": "Once", "stream": True},
            back=lambda seen: [one["text"] for chunk in seen.chunks for one in chunk["choices"] if one["text"]],
            endpoint="completions",
        ),
        Feature(
            "`/v1/embeddings`",
            {"input": ["hi"]},
            gemini=(yes(has("requests")),),
            back=lambda seen: isinstance(seen.answer["data"][0]["embedding"], list),
            word="embeddings",
            why=BY_ITS_WORD,
            sandbox="sandbox/embedding",
            endpoint="embeddings",
        ),
        Feature(
            "`/v1/embeddings` in base64",
            {"input": ["hi"], "encoding_format": "base64"},
            gemini=(yes(has("requests")),),
            back=lambda seen: isinstance(seen.answer["data"][0]["embedding"], str),
            word="embeddings",
            why=BY_ITS_WORD,
            sandbox="sandbox/embedding",
            endpoint="embeddings",
        ),
    ),
    families=(*FAMILIES[:-2], EMBEDDERS, GEMINI_EMBEDDERS, *FAMILIES[-2:]),
)


ANSWERS = Section(
    "Answers and streams",
    (
        Feature("Text", {}, (SENT,), (ASKED,), basic=True, back=text),
        Feature(
            "Streaming",
            {"stream": True},
            (yes(lambda body: body["stream"]),),
            (ASKED,),
            basic=True,
            back=lambda seen: delta(seen, "content"),
        ),
        Feature(
            "Usage in streams",
            {"stream": True, "stream_options": {"include_usage": True}},
            (SENT,),
            (ASKED,),
            basic=True,
            back=lambda seen: seen.chunks[-1]["usage"]["total_tokens"],
        ),
        Feature(
            "`max_tokens`",
            {"max_tokens": 50},
            (yes(lambda body: body["max_tokens"] == 50),),
            (yes(config("maxOutputTokens")),),
            (
                adapted(
                    "Sent as `max_completion_tokens`.",
                    lambda body: "max_tokens" not in body and body.get("max_completion_tokens") == 50,
                ),
            ),
            basic=True,
            back=text,
        ),
        Feature(
            "`stop`",
            {"stop": ["said"]},
            (yes(has("stop_sequences")),),
            (yes(config("stopSequences")),),
            word="stop",
            back=lambda seen: "said" not in seen.message["content"],
        ),
        Feature(
            "`n` above 1",
            {"n": 2},
            gemini=(Way(PASSED, config("candidateCount")),),
            word="n",
            back=lambda seen: len(seen.messages) == 2,
        ),
        Feature(
            "`logprobs`",
            {"logprobs": True, "top_logprobs": 2},
            gemini=(Way(PASSED, config("responseLogprobs")),),
            word="logprobs",
            back=lambda seen: seen.answer["choices"][0]["logprobs"]["content"],
            why={"openai": 'Models that can leave off reasoning give them with `reasoning_effort` `"none"`.'},
        ),
    ),
)

MESSAGES = Section(
    "Messages",
    (
        Feature(
            "System message",
            {"messages": [BRIEF, USER]},
            (yes(has("system")),),
            (yes(has("systemInstruction")),),
            basic=True,
        ),
        Feature(
            "Developer message",
            {"messages": [{**BRIEF, "role": "developer"}, USER]},
            (yes(has("system")),),
            (yes(has("systemInstruction")),),
            (adapted("Sent as `system`.", lambda body: body["messages"][0]["role"] == "system"),),
        ),
        Feature(
            "System message later on",
            {"messages": [USER, {"role": "assistant", "content": "Hello."}, USER, BRIEF]},
            (
                yes(lambda body: any(message["role"] == "system" for message in body["messages"])),
                adapted("Put into the user's turn, marked as what it is.", lambda body: "<system>" in str(body)),
            ),
            (adapted("Moved to the system instruction.", has("systemInstruction")),),
        ),
        Feature(
            "Last message from the assistant",
            {"messages": [USER, {"role": "assistant", "content": "Well,"}]},
            (
                yes(lambda body: body["messages"][-1]["role"] == "assistant", "The model goes on from it."),
                adapted("Kept, and the model is asked to continue.", lambda body: "Continue." in str(body)),
            ),
            (
                yes(lambda body: body["contents"][-1]["role"] == "model", "The model goes on from it."),
                adapted("Kept, and the model is asked to continue.", lambda body: "Continue." in str(body)),
            ),
        ),
        Feature("`name` of a message", {"messages": [{**USER, "name": "ann"}]}),
    ),
)

TOOLS = Section(
    "Tools",
    (
        Feature(
            "Tools",
            {"tools": [ADD]},
            (yes(has("tools")),),
            (yes(has("tools")),),
            (NOT_REASONING,),
            word="tools",
            back=lambda seen: calls(seen) and seen.answer["choices"][0]["finish_reason"] == "tool_calls",
            why=WHY_NO_TOOLS,
            sandbox=TOOL,
        ),
        Feature(
            "Tools in a stream",
            {"tools": [ADD], "stream": True},
            (yes(has("tools")),),
            (yes(has("tools")),),
            (NOT_REASONING,),
            word="tools",
            back=lambda seen: delta(seen, "tool_calls"),
            why=WHY_NO_TOOLS,
            sandbox=TOOL,
        ),
        Feature(
            "Several calls in an answer",
            {"tools": [ADD]},
            (yes(has("tools")),),
            (yes(has("tools")),),
            (NOT_REASONING,),
            word="tools",
            back=lambda seen: len(calls(seen)) == 2,
            why=WHY_NO_TOOLS,
            sandbox=TOOL,
        ),
        Feature(
            "`parallel_tool_calls` false",
            {"tools": [ADD], "parallel_tool_calls": False},
            (yes(lambda body: body["tool_choice"]["disable_parallel_tool_use"]),),
            openai=(NOT_REASONING,),
            word="tools",
            back=lambda seen: len(calls(seen)) == 1,
            why=WHY_NO_TOOLS,
            sandbox=TOOL,
        ),
        Feature(
            "Tool results",
            {"tools": [ADD], "messages": ANSWERED},
            (yes(lambda body: block(body, "tool_result")),),
            (yes(lambda body: part(body, "functionResponse")),),
            (NOT_REASONING,),
            word="tools",
            back=text,
            why=WHY_NO_TOOLS,
            sandbox=TOOL,
        ),
        Feature(
            "`tool_choice` required",
            {"tools": [ADD], "tool_choice": "required"},
            (yes(choice("any")), adapted("Sent as `auto`: the model may answer without a call.", choice("auto"))),
            (yes(mode("ANY")),),
            (NOT_REASONING,),
            word="forced_tool_choice",
            back=calls,
            why=WHY_NO_TOOLS,
            sandbox=TOOL,
        ),
        Feature(
            "`tool_choice` of one function",
            {"tools": [ADD, SUBTRACT], "tool_choice": {"type": "function", "function": {"name": "add"}}},
            (yes(choice("tool")), adapted("Sent as `auto`: the model may answer without a call.", choice("auto"))),
            (yes(lambda body: "allowedFunctionNames" in body["toolConfig"]["functionCallingConfig"]),),
            (NOT_REASONING,),
            word="forced_tool_choice",
            back=calls,
            why=WHY_NO_TOOLS,
            sandbox=TOOL,
        ),
        Feature(
            "`tool_choice` of allowed tools",
            {
                "tools": [ADD, SUBTRACT],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [{"type": "function", "function": {"name": "subtract"}}],
                    },
                },
            },
            (adapted("The others are not offered.", lambda body: len(body["tools"]) == 1),),
            (adapted("The others are not offered.", lambda body: len(body["tools"][0]["functionDeclarations"]) == 1),),
            (NOT_REASONING,),
            back=calls,
            why=WHY_NO_TOOLS,
            sandbox=TOOL,
        ),
        Feature(
            "Custom tools",
            {"tools": [GREP]},
            (adapted("Sent as a function with one property, `input`.", has("tools")),),
            word="custom_tools",
            back=lambda seen: calls(seen)[0]["type"] == "custom",
            sandbox=TOOL,
        ),
        Feature(
            "Custom tools in a stream",
            {"tools": [GREP], "stream": True},
            (adapted("Sent as a function with one property, `input`.", has("tools")),),
            word="custom_tools",
            back=lambda seen: all("function" not in call for call in delta(seen, "tool_calls")[0]),
            sandbox=TOOL,
        ),
        Feature(
            "`functions`, the older kind",
            {"functions": [ADD["function"]], "function_call": "auto"},
            (yes(has("tools")),),
            (yes(has("tools")),),
            FUNCTIONS_AS_TOOLS,
            word="tools",
            back=lambda seen: seen.message.get("function_call", {}).get("name") == "add",
            why=WHY_NO_TOOLS,
            sandbox=TOOL,
        ),
    ),
)

FORMATS = Section(
    "JSON",
    (
        Feature(
            "`json_object`",
            {"response_format": {"type": "json_object"}},
            (adapted("The model is told to answer with one JSON object.", lambda body: ONLY_JSON in str(body)),),
            (yes(config("responseMimeType")),),
            word="json_object",
            back=lambda seen: seen.message["content"] == AS_JSON,
        ),
        Feature(
            "`json_schema`",
            {"response_format": SCHEMA},
            (yes(lambda body: "format" in body.get("output_config", {})),),
            (yes(config("responseJsonSchema")),),
            word="json_schema",
            back=lambda seen: seen.message["content"] == AS_JSON,
        ),
        Feature(
            "`json_schema` beside tools",
            {"response_format": SCHEMA, "tools": [ADD], "messages": ANSWERED},
            (yes(lambda body: "format" in body.get("output_config", {}) and body["tools"]),),
            (yes(lambda body: "responseJsonSchema" in body["generationConfig"] and body["tools"]),),
            (NOT_REASONING,),
            word="json_schema",
            back=lambda seen: seen.message["content"] == AS_JSON,
            why=WHY_NO_TOOLS,
        ),
    ),
)
