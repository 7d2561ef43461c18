"""Tools, the choice among them, and what becomes of names that Anthropic does not take."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.anthropic.rules import OLD, USER, refusal, sent


def tool(name: str = "look", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


EMPTY = {"type": "object", "properties": {}}
NO_FORCE = {"forced_tool_choice": False}
CALLED = [
    USER,
    {
        "role": "assistant",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "x.y", "arguments": ""}}],
    },
    {"role": "tool", "tool_call_id": "a", "content": "1"},
]


@pytest.mark.parametrize(
    ("function", "made"),
    [
        ({}, {"input_schema": EMPTY}),
        ({"parameters": None}, {"input_schema": EMPTY}),
        ({"parameters": {}}, {"input_schema": EMPTY}),
        ({"parameters": {"type": None}}, {"input_schema": {"type": "object"}}),
        ({"parameters": {"properties": {"a": {}}}}, {"input_schema": {"type": "object", "properties": {"a": {}}}}),
        ({"description": "d", "strict": True}, {"description": "d", "input_schema": EMPTY}),
        ({"description": ""}, {"input_schema": EMPTY}),
        ({"cache_control": {"type": "ephemeral"}}, {"input_schema": EMPTY, "cache_control": {"type": "ephemeral"}}),
    ],
)
def test_a_function_becomes_a_tool(function: dict[str, Any], made: dict[str, Any]) -> None:
    assert sent({"tools": [tool(**function)]})["tools"] == [{"name": "look", **made}]


def test_a_cache_mark_beside_the_function_is_kept_too() -> None:
    marked = {**tool(), "cache_control": {"type": "ephemeral"}}
    assert sent({"tools": [marked]})["tools"][0]["cache_control"] == {"type": "ephemeral"}


def test_foreign_names_are_rewritten_and_stay_apart() -> None:
    names = ["a.b", "a/b", "a_b", "ü", "n" * 130, "n" * 131]
    made = [entry["name"] for entry in sent({"tools": [tool(name) for name in names]})["tools"]]
    assert made == ["a_b_2", "a_b_3", "a_b", "_", "n" * 128, "n" * 126 + "_2"]


def test_a_choice_names_the_rewritten_tool() -> None:
    made = sent({"tools": [tool("a.b")], "tool_choice": {"type": "function", "function": {"name": "a.b"}}})
    assert made["tool_choice"] == {"type": "tool", "name": made["tools"][0]["name"]}


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        (None, None),
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "look"}}, {"type": "tool", "name": "look"}),
    ],
)
def test_choices(choice: Any, made: Any) -> None:
    assert sent({"tools": [tool()], "tool_choice": choice}).get("tool_choice") == made


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "look"}}])
def test_a_model_that_cannot_be_forced_is_asked_freely(choice: Any) -> None:
    made = sent({"tools": [tool()], "tool_choice": choice}, capabilities=NO_FORCE)
    assert made["tool_choice"] == {"type": "auto"}


def test_a_forced_choice_turns_thinking_off_and_a_downgraded_one_does_not() -> None:
    body = {"tools": [tool()], "tool_choice": "required", "reasoning_effort": "high"}
    assert "thinking" not in sent(body)
    assert sent(body)["output_config"] == {"effort": "high"}
    assert "thinking" in sent(body, capabilities=NO_FORCE)


@pytest.mark.parametrize("nested", [True, False])
def test_allowed_tools_leave_only_those(nested: bool) -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "b"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed} if nested else {"type": "allowed_tools", **allowed}
    made = sent({"tools": [tool("a"), tool("b")], "tool_choice": choice})
    assert [entry["name"] for entry in made["tools"]] == ["b"]
    assert made["tool_choice"] == {"type": "any"}


def test_a_choice_without_tools_is_dropped() -> None:
    made = sent({"tool_choice": "auto", "parallel_tool_calls": False})
    assert "tool_choice" not in made
    assert "tools" not in made


@pytest.mark.parametrize(
    ("choice", "parallel", "made"),
    [
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (None, True, {"type": "auto", "disable_parallel_tool_use": False}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("auto", None, {"type": "auto"}),
    ],
)
def test_parallel_calls(choice: Any, parallel: Any, made: Any) -> None:
    body = {"tools": [tool()], "tool_choice": choice, "parallel_tool_calls": parallel}
    assert sent(body)["tool_choice"] == made


def test_a_history_of_calls_without_tools_brings_them_along_uncallable() -> None:
    made = sent({"messages": CALLED})
    assert made["tools"] == [{"name": "x_y", "input_schema": EMPTY}]
    assert made["tool_choice"] == {"type": "none"}


def test_legacy_functions_are_tools_called_one_at_a_time() -> None:
    functions = [{"name": "look", "parameters": EMPTY}]
    made = sent({"functions": functions})
    assert made["tools"] == [{"name": "look", "input_schema": EMPTY}]
    assert made["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    named = sent({"functions": functions, "function_call": {"name": "look"}})
    assert named["tool_choice"] == {"type": "tool", "name": "look", "disable_parallel_tool_use": True}
    assert sent({"functions": functions, "function_call": "none"})["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{"type": "custom"}]}, "tools[0]"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].custom.name"),
        ({"tools": [tool(), tool("b"), tool()]}, "tools[2].function.name"),
        ({"tools": [tool(), {"type": "custom", "custom": {"name": "look"}}]}, "tools[1].custom.name"),
        ({"functions": [{"name": "a"}, {"name": "a"}]}, "functions[1].name"),
        ({"tools": [tool(), {"type": "function"}]}, "tools[1]"),
        ({"tools": [tool(parameters={"type": "string"})]}, "tools[0].function.parameters"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"functions": [{"name": "a", "parameters": {"type": "array"}}]}, "functions[0].parameters"),
        ({"tools": [tool()], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice"),
        ({"tools": [tool()], "tool_choice": {"type": "allowed_tools", "mode": "x", "tools": [tool()]}}, "tool_choice"),
        ({"functions": [{"name": "a"}], "function_call": {"name": "b"}}, "function_call"),
    ],
)
def test_tools_and_choices_that_cannot_be_are_refused_by_name(body: dict[str, Any], param: str) -> None:
    assert refusal(body).param == param


@pytest.mark.parametrize(
    ("body", "param"), [({"tools": [tool()]}, "tools"), ({"functions": [{"name": "a"}]}, "functions")]
)
def test_a_model_without_tools_says_so(body: dict[str, Any], param: str) -> None:
    error = refusal(body, capabilities={"tools": False})
    assert (error.param, error.code) == (param, "unsupported_parameter")


SEARCH = {
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Berlin"}},
    }
}


def test_web_search_costs_money_and_is_offered_only_where_the_route_says_so() -> None:
    assert "tools" not in sent(SEARCH)
    assert sent(SEARCH, options={"web_search": True})["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "user_location": {"type": "approximate", "city": "Berlin"},
            "max_uses": 1,
        }
    ]


SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"a": {}}}}}


ALONE = {"type": "tool", "name": "json_answer", "disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    ("body", "choice"),
    [
        ({}, ALONE),
        ({"tools": [tool()]}, {"type": "any"}),
        ({"tools": [tool()], "tool_choice": "none"}, ALONE),
        ({"tools": [tool()], "tool_choice": "required"}, {"type": "any"}),
        (
            {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "look"}}},
            {"type": "tool", "name": "look"},
        ),
        ({"reasoning_effort": "high"}, ALONE),
        ({"parallel_tool_calls": True}, ALONE),
    ],
)
def test_a_model_without_structured_output_answers_through_a_forced_tool(body: dict[str, Any], choice: Any) -> None:
    made = sent({**body, "response_format": SCHEMA}, capabilities=OLD)
    assert made["tools"][-1]["name"] == "json_answer"
    assert made["tools"][-1]["input_schema"] == {"type": "object", "properties": {"a": {}}}
    assert made["tool_choice"] == choice
    assert "output_config" not in made


def test_the_answer_tool_gives_way_to_a_tool_of_its_name() -> None:
    made = sent({"tools": [tool("json_answer")], "response_format": SCHEMA}, capabilities=OLD)
    assert [entry["name"] for entry in made["tools"]] == ["json_answer", "json_answer_2"]


FREE: dict[str, Any] = {"type": "custom", "custom": {"name": "run.code", "description": "Runs code."}}
FREE_SCHEMA = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The tool's whole input, as it is."}},
    "required": ["input"],
    "additionalProperties": False,
}


def test_a_custom_tool_becomes_a_tool_of_one_text() -> None:
    made = sent({"tools": [FREE]})
    assert made["tools"] == [{"name": "run_code", "description": "Runs code.", "input_schema": FREE_SCHEMA}]


@pytest.mark.parametrize("nested", [True, False])
def test_a_grammar_is_asked_for_in_words(nested: bool) -> None:
    grammar = {"syntax": "lark", "definition": "start: WORD"}
    shape = {"type": "grammar", "grammar": grammar} if nested else {"type": "grammar", **grammar}
    made = sent({"tools": [{"type": "custom", "custom": {**FREE["custom"], "format": shape}}]})
    assert made["tools"][0]["description"] == "Runs code.\n\nThe input must follow this lark grammar:\nstart: WORD"


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ({"type": "custom", "custom": {"name": "run.code"}}, {"type": "tool", "name": "run_code"}),
        ({"type": "custom", "name": "run.code"}, {"type": "tool", "name": "run_code"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [FREE]}},
            {"type": "auto"},
        ),
    ],
)
def test_a_custom_tool_can_be_chosen(choice: Any, made: Any) -> None:
    request = sent({"tools": [tool(), FREE], "tool_choice": choice})
    assert request["tool_choice"] == made
    assert request["tools"][-1]["name"] == "run_code"


@pytest.mark.parametrize("offered", [[FREE], []])
def test_a_custom_call_of_the_history_comes_back_as_it_went(offered: list[Any]) -> None:
    call = {"id": "a", "type": "custom", "custom": {"name": "run.code", "input": "1 + 1"}}
    messages = [
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "2"},
    ]
    made = sent({"messages": messages, "tools": offered})
    assert made["messages"][1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "run_code", "input": {"input": "1 + 1"}}
    ]
    assert made["tools"][0]["name"] == "run_code"


def test_a_function_of_the_name_of_the_providers_own_search_steps_aside() -> None:
    body = {**SEARCH, "tools": [tool("web_search")]}
    made = [entry["name"] for entry in sent(body, options={"web_search": True})["tools"]]
    assert made == ["web_search_2", "web_search"]
    assert [entry["name"] for entry in sent(body)["tools"]] == ["web_search"]


def schema(**fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = sent({"tools": [tool(parameters=fields)]})["tools"][0]["input_schema"]
    return made


def needs(*names: str) -> dict[str, Any]:
    return {"properties": {name: {"type": "string"} for name in names}, "required": list(names)}


TEXT = {"type": "string"}


def test_alternatives_at_the_root_become_one_object_that_tells_them() -> None:
    assert schema(type="object", properties={"z": TEXT}, required=["z"], oneOf=[needs("a", "b"), needs("a", "c")]) == {
        "type": "object",
        "properties": {"z": TEXT, "a": TEXT, "b": TEXT, "c": TEXT},
        "required": ["z", "a"],
        "description": '(Exactly one of these is required: [["a","b"],["a","c"]])',
    }
    assert schema(anyOf=[needs("a"), needs("b")], description="d") == {
        "type": "object",
        "properties": {"a": TEXT, "b": TEXT},
        "description": 'd (At least one of these is required: [["a"],["b"]])',
    }


def test_parts_that_all_hold_become_one_object_that_requires_all() -> None:
    made = schema(
        allOf=[needs("a"), {"$ref": "#/$defs/B"}, {"$ref": "#/$defs/absent"}, True],
        additionalProperties=False,
        **{"$defs": {"B": needs("b")}},
    )
    assert made == {
        "type": "object",
        "properties": {"a": TEXT, "b": TEXT},
        "required": ["a", "b"],
        "$defs": {"B": needs("b")},
    }


def test_a_property_of_several_kinds_may_be_any_of_them() -> None:
    number = {"properties": {"a": {"type": "number"}}}
    assert schema(anyOf=[needs("a"), number, needs("a")])["properties"] == {"a": {"anyOf": [TEXT, {"type": "number"}]}}


def test_alternatives_below_the_root_stay() -> None:
    below = {"a": {"anyOf": [TEXT, {"type": "number"}]}}
    assert schema(properties=below) == {"type": "object", "properties": below}


def test_a_schema_that_unfolds_without_end_is_cut_short() -> None:
    bomb = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 10} for n in range(20)}
    assert schema(anyOf=[{"$ref": "#/$defs/d0"}], **{"$defs": bomb})["type"] == "object"
    assert schema(allOf=[{"$ref": "#"}, needs("a")], **{"$defs": {}})["properties"] == {"a": TEXT}
