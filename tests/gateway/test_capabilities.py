"""What a request needs and its model lacks is refused with the place and the word, before money is held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, cast

import pytest

from billing.entries import Entry as LedgerEntry
from billing.ledger import Ledger
from gateway import capabilities, request_ids
from gateway.dispatch import Dispatch, Request
from gateway.egress import Egress
from gateway.errors import ApiError
from gateway.operations import CHAT
from gateway.payment import Cashier
from gateway.providers import providers
from gateway.providers.base import Target
from gateway.registry import Entry, Registry, Snapshot, build
from tests.gateway.test_registry import CALLER, entry, snapshot

USER = {"role": "user", "content": "hi"}
ADD = {"type": "function", "function": {"name": "add"}}
GREP = {"type": "custom", "custom": {"name": "grep"}}
PNG, PDF = "data:image/png;base64,iVBORw0KGgo=", "data:application/pdf;base64,JVBERi0xLjQ="
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


def model(*kinds: str, can: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None) -> Entry:
    """The model `m`, with a route over each kind of provider."""
    routes = tuple(
        Target(kind, kind, "", None, "m", "m", capabilities=can or {}, options=options or {}) for kind in kinds
    )
    return replace(entry("m", capabilities=can or {}), targets=routes, kinds=kinds)


def refusal(body: dict[str, Any], asked: Entry) -> ApiError | None:
    try:
        capabilities.check({"model": "m", "messages": [USER], **body}, asked)
    except ApiError as error:
        return error
    return None


def said(*parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"messages": [USER, {"role": role, "content": [{"type": "text", "text": "see"}, *parts]}]}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


PART = "messages[1].content[1]"
NEEDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("vision", said(image(PNG)), PART, "unsupported_value"),
    ("vision", said(image("https://a.example/x.png")), PART, "unsupported_value"),
    ("vision", said({"type": "image_url", "image_url": "https://a.example/x.png"}), PART, "unsupported_value"),
    ("vision", said(image(PNG), role="tool"), PART, "unsupported_value"),
    ("vision", said(file(file_data=PNG)), PART, "unsupported_value"),
    ("image_urls", said(image("https://a.example/x.png")), PART, "unsupported_value"),
    ("pdf", said(file(file_data=PDF)), PART, "unsupported_value"),
    ("pdf", said(file(file_data="JVBERi0xLjQ=")), PART, "unsupported_value"),
    ("pdf", said(file(file_data="AAAA", filename="report.PDF")), PART, "unsupported_value"),
    ("file_ids", said(file(file_id="file-1")), PART, "unsupported_value"),
    ("pdf", said(image(PDF)), PART, "unsupported_value"),
    ("audio", said({"type": "input_audio", "input_audio": {}}), PART, "unsupported_value"),
    ("audio", said(image("data:video/mp4;base64,AAAA")), PART, "unsupported_value"),
    ("audio_output", {"modalities": ["text", "audio"], "audio": {}}, "modalities", "unsupported_value"),
    ("audio_output", {"audio": {"voice": "alloy"}}, "audio", "unsupported_value"),
    ("tools", {"tools": [ADD]}, "tools", "unsupported_parameter"),
    ("tools", {"functions": [{"name": "add"}]}, "functions", "unsupported_parameter"),
    ("custom_tools", {"tools": [ADD, GREP]}, "tools[1]", "unsupported_value"),
    ("forced_tool_choice", {"tools": [ADD], "tool_choice": "required"}, "tool_choice", "unsupported_value"),
    ("forced_tool_choice", {"tools": [ADD], "tool_choice": ADD}, "tool_choice", "unsupported_value"),
    (
        "forced_tool_choice",
        {"tools": [ADD], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required"}}},
        "tool_choice",
        "unsupported_value",
    ),
    (
        "forced_tool_choice",
        {"functions": [{"name": "add"}], "function_call": {"name": "add"}},
        "function_call",
        "unsupported_value",
    ),
    ("json_object", {"response_format": {"type": "json_object"}}, "response_format.type", "unsupported_value"),
    ("json_schema", {"response_format": SCHEMA}, "response_format.type", "unsupported_value"),
    ("tools_with_json", {"response_format": SCHEMA, "tools": [ADD]}, "response_format", "unsupported_value"),
    ("n", {"n": 2}, "n", "unsupported_value"),
    ("logprobs", {"logprobs": True, "top_logprobs": 2}, "logprobs", "unsupported_parameter"),
    ("stop", {"stop": ["\n"]}, "stop", "unsupported_parameter"),
    ("prefill", {"messages": [USER, {"role": "assistant", "content": "So"}]}, "messages[1]", "unsupported_value"),
]


@pytest.mark.parametrize(("word", "body", "param", "code"), NEEDS)
def test_what_the_model_lacks_is_refused_by_place_and_word(
    word: str, body: dict[str, Any], param: str, code: str
) -> None:
    error = refusal(body, model("openai", can={word: False}))
    assert error is not None
    assert (error.status, error.param, error.code) == (400, param, code)
    assert error.message.startswith(f"'{param}' ")
    assert "'m'" in error.message
    assert f"has '{word}' among its capabilities in GET /v1/models" in error.message


@pytest.mark.parametrize(("word", "body", "param", "code"), NEEDS)
def test_what_the_model_has_or_nobody_speaks_of_is_let_through(
    word: str, body: dict[str, Any], param: str, code: str
) -> None:
    assert refusal(body, model("openai", can={word: True})) is None
    assert refusal(body, model("openai")) is None


def test_every_word_that_can_be_refused_is_tried_here() -> None:
    assert {word for word, *_ in NEEDS} == set(capabilities._SAID)


NEEDLESS = [
    {"n": 1, "n_": 2},
    {"n": None, "logprobs": False, "stop": None, "modalities": ["text"], "tools": None, "response_format": None},
    {"stop": [], "tools": [], "functions": [], "tool_choice": "required"},
    {"response_format": {"type": "text"}},
    said(file(file_data="data:text/plain;base64,aGk=", filename="notes.txt")),
    {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}]},
    {"messages": [{"role": "user", "content": None}]},
]


@pytest.mark.parametrize("body", NEEDLESS)
def test_a_model_that_can_do_nothing_still_answers_what_asks_for_nothing(body: dict[str, Any]) -> None:
    nothing = dict.fromkeys(capabilities._SAID, False)
    assert refusal(body, model("openai", can=nothing)) is None


@pytest.mark.parametrize("choice", ["auto", "none", {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}])
def test_a_choice_that_the_model_may_decline_is_no_demand(choice: Any) -> None:
    assert refusal({"tools": [ADD], "tool_choice": choice}, model("openai", can={"forced_tool_choice": False})) is None


def test_json_and_tools_that_may_not_be_called_go_together() -> None:
    body = {"response_format": SCHEMA, "tools": [ADD], "tool_choice": "none"}
    assert refusal(body, model("gemini", can={"tools_with_json": False})) is None


# -- what is only possible while the model does not reason ----------------------------------------


@pytest.mark.parametrize("effort", ["low", {"effort": "high"}])
def test_tools_and_reasoning_are_refused_together_where_they_exclude_each_other(effort: Any) -> None:
    error = refusal({"tools": [ADD], "reasoning_effort": effort}, model("openai", can={"tools": "without_reasoning"}))
    assert error is not None
    assert (error.param, error.code) == ("reasoning_effort", "unsupported_value")
    assert (
        refusal({"tools": [GREP], "reasoning_effort": effort}, model("openai", can={"tools": "without_reasoning"}))
        is None
    )


@pytest.mark.parametrize("effort", [None, "none", {"effort": "none"}])
def test_tools_alone_are_taken_by_a_model_that_can_be_told_not_to_reason(effort: Any) -> None:
    assert (
        refusal({"tools": [ADD], "reasoning_effort": effort}, model("openai", can={"tools": "without_reasoning"}))
        is None
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "logprobs"),
        ({"reasoning_effort": "low"}, "logprobs"),
        ({"reasoning_effort": "none"}, None),
        ({"tools": [ADD]}, None),  # which tell it not to reason
    ],
)
def test_probabilities_are_given_by_a_model_that_does_not_reason(fields: dict[str, Any], param: str | None) -> None:
    newest = model("openai", can={"tools": "without_reasoning", "logprobs": "without_reasoning"})
    error = refusal({"logprobs": True, **fields}, newest)
    assert (error.param if error else None) == param


# -- what providers lack, give by other means, or do without --------------------------------------


@pytest.mark.parametrize("kind", ["anthropic", "gemini"])
def test_what_the_vendor_has_no_word_for_needs_no_word_in_the_registry(kind: str) -> None:
    for word, body, param, _ in NEEDS:
        error = refusal(body, model(kind))
        assert (error.param if error else None) == (param if word in providers()[kind].lacks else None), word


def test_the_registry_knows_better_what_its_model_can() -> None:
    assert (
        refusal({"messages": said({"type": "input_audio"})["messages"]}, model("gemini", can={"audio": True})) is None
    )


@pytest.mark.parametrize("word", sorted(providers()["anthropic"].emulates | providers()["anthropic"].does_without))
def test_what_the_translation_makes_up_for_is_not_refused(word: str) -> None:
    for needed, body, *_ in NEEDS:
        if needed == word:
            assert refusal(body, model("anthropic", can={word: False})) is None


def test_an_operator_can_have_refused_what_could_be_done_without() -> None:
    body = {"messages": [USER, {"role": "assistant", "content": "So"}]}
    error = refusal(body, model("anthropic", can={"prefill": False}, options={"prefill": "refuse"}))
    assert error is not None
    assert error.param == "messages[1]"


def test_one_route_that_can_is_enough() -> None:
    assert refusal({"n": 2}, model("anthropic", "openai")) is None
    assert refusal({"n": 2}, model("anthropic", "anthropic")) is not None


def test_a_prompt_is_looked_at_for_what_a_prompt_can_ask() -> None:
    asked = model("openai", can={"logprobs": False, "n": False, "tools": False})
    prompt: dict[str, Any] = {"model": "m", "prompt": "hi", "tools": "what is not looked at"}
    capabilities.check(prompt, asked)
    with pytest.raises(ApiError) as caught:
        capabilities.check({**prompt, "logprobs": 3}, asked)
    assert caught.value.param == "logprobs"


# -- what callers are shown -----------------------------------------------------------------------


def test_callers_are_shown_what_is_known_and_no_more() -> None:
    can = {"vision": True, "json_schema": False, "efforts": ["low"], "sampling": "none", "thinking": "adaptive"}
    shown = model("anthropic", can=can).to_openai(date(2026, 11, 23))["capabilities"]
    assert shown == {
        "chat": True,
        "completions": False,
        "embeddings": False,
        "vision": True,
        "audio": False,
        "audio_output": False,
        "custom_tools": True,  # by a function with one property
        "json_object": True,
        "json_schema": True,  # by a forced tool
        "n": False,
        "logprobs": False,
        "sampling": "none",
        "efforts": ["low"],
    }
    openai = model("openai").to_openai(date(2026, 11, 23))["capabilities"]
    assert openai == {"chat": True, "completions": False, "embeddings": False}
    assert entry("m").to_openai(date(2026, 11, 23))["capabilities"] == {}
    assert entry("m", kinds=("telegraph",)).to_openai(date(2026, 11, 23))["capabilities"] == {}  # its module is gone


def test_what_a_model_can_does_not_depend_on_its_credential() -> None:
    row = {name: getattr(entry("m"), name) for name in Entry.__dataclass_fields__ if name not in {"targets", "kinds"}}
    row.pop("missing_credentials")
    route = {"model_id": "m", "slug": "anthropic", "kind": "anthropic", "needs_credential": True, "credential": ""}
    found = build([row], [{**route, "api_key_env": "NO_SUCH_VARIABLE_IS_SET"}]).models["m"]
    assert not found.targets
    assert found.to_openai(date(2026, 11, 23))["capabilities"]["n"] is False


# -- in the course of a request -------------------------------------------------------------------


class Till:
    """Notes who comes to pay. Settles what is brought."""

    def __init__(self) -> None:
        self.admitted: list[str] = []
        self.settled: list[LedgerEntry] = []

    async def admit(
        self, operation: object, body: object, asked: Entry, ledger: LedgerEntry, allowance: object = None
    ) -> int | None:
        self.admitted.append(asked.id)
        return None

    async def release(self, ledger: LedgerEntry) -> None:
        self.admitted.append("released")

    async def settle(self, ledger: LedgerEntry) -> None:
        self.settled.append(ledger)


class Shelf:
    """A registry of these models."""

    def __init__(self, *entries: Entry) -> None:
        self._snapshot = snapshot(*entries)

    async def current(self) -> Snapshot:
        return self._snapshot

    async def mark_gone(self, name: str) -> None:
        return None


def _serving(name: str, upstream: str, **fields: Any) -> Entry:
    target = Target("sandbox", "sandbox", "", None, name, upstream)
    return replace(entry(name, **fields), targets=(target,), kinds=("sandbox",))


async def _asked(till: Till, *entries: Entry, **fields: Any) -> ApiError:
    dispatch = Dispatch(
        registry=cast("Registry", Shelf(*entries)),
        ledger=cast("Ledger", till),
        cashier=cast("Cashier", till),
        egress=cast("Egress", None),
    )
    body = {"model": entries[0].id, "messages": [USER], **fields}
    with pytest.raises(ApiError) as caught:
        await dispatch.complete(Request(CHAT, body, CALLER, LedgerEntry(request_ids.new(), 1, 1)))
    return caught.value


async def test_no_money_is_held_for_what_the_model_lacks() -> None:
    till = Till()
    error = await _asked(till, _serving("m", "echo", capabilities={"n": False}), n=2)
    assert (error.status, error.param, till.admitted) == (400, "n", [])
    assert [(row.status, row.error_code) for row in till.settled] == [(400, "unsupported_value")]


async def test_the_model_that_answers_for_a_retired_one_is_the_one_that_is_looked_at() -> None:
    till = Till()
    old = _serving("old", "echo", vendor_id="", successor="new")
    error = await _asked(till, old, _serving("new", "echo", capabilities={"tools": False}), tools=[ADD])
    assert "'new', which answers for the retired 'old', does not take" in error.message
    assert till.admitted == []


async def test_a_successor_that_steps_in_half_way_is_looked_at_too() -> None:
    till = Till()
    gone = _serving("gone", "no-such-model", successor="new")
    error = await _asked(till, gone, _serving("new", "echo", capabilities={"n": False}), n=2)
    assert (error.param, till.admitted) == ("n", ["gone", "released"])
