"""Calls whose arguments come in pieces are told whole, and only then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.providers.gemini import Gemini
from tests.gateway import streams
from tests.gateway.gemini.answers import body_of, calls, counts, item, words
from tests.gateway.gemini.asking import call


def begins(name: str, **fields: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "willContinue": True, **fields}}


def piece(path: str, goes_on: bool = False, **value: Any) -> dict[str, Any]:
    """One piece of an argument; `goes_on` says that more of the same string follows."""
    made = {"jsonPath": path, **value, **({"willContinue": True} if goes_on else {})}
    return {"functionCall": {"partialArgs": [made], "willContinue": True}}


CLOSED: dict[str, Any] = {"functionCall": {}}


def told(*items: dict[str, Any], **request: Any) -> streams.Outcome:
    return streams.run(Gemini(), call({"stream": True, **request}), [body_of(*items)])


def made(outcome: streams.Outcome) -> list[tuple[int, str, Any]]:
    """Index, name and arguments of each call, one delta each."""
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=True)
    found = [one for chunk in outcome.chunks for c in chunk["choices"] for one in c["delta"].get("tool_calls") or ()]
    return [(one["index"], one["function"]["name"], json.loads(one["function"]["arguments"])) for one in found]


def arguments(*pieces: dict[str, Any]) -> Any:
    [(_, _, given)] = made(told(item(begins("f"), *pieces, CLOSED, finish="STOP")))
    return given


def test_a_call_in_pieces_is_one_delta_once_it_is_whole() -> None:
    items = [
        item(words("so: ")),
        item(begins("add", id="own"), finish=None),
        item(piece("$.city", goes_on=True, stringValue="New ")),
        item(piece("$.city", stringValue="York")),
        item(piece("$.days", numberValue=3.0)),
        item(CLOSED, finish="STOP", **counts(5, 3)),
    ]
    outcome = told(*items)
    assert made(outcome) == [(0, "add", {"city": "New York", "days": 3})]
    for keep in range(2, 6):
        assert not any("tool_calls" in c["delta"] for chunk in told(*items[:keep]).chunks for c in chunk["choices"])
    assert outcome.chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_every_kind_of_value_is_put_where_its_path_says() -> None:
    assert arguments(
        piece("$.a.b[0].c", stringValue="x"),
        piece("$.a.b[1]['d e']", boolValue=False),
        piece('$.a["f"]', nullValue="NULL_VALUE"),
        piece("$.n", numberValue=1.5),
        piece("$.i", numberValue=7),
        piece("$.empty", stringValue=""),
    ) == {"a": {"b": [{"c": "x"}, {"d e": False}], "f": None}, "n": 1.5, "i": 7, "empty": ""}


def test_a_string_that_is_finished_is_replaced_and_not_added_to() -> None:
    assert arguments(piece("$.a", stringValue="x"), piece("$.a", stringValue="y")) == {"a": "y"}
    several = [piece(path, goes_on=True, stringValue=text) for path, text in [("$.a", "x"), ("$.b", "1"), ("$.a", "y")]]
    assert arguments(*several) == {"a": "xy", "b": "1"}


def test_calls_are_numbered_across_all_ways_to_send_them() -> None:
    outcome = told(
        item(calls("whole", a=1)),
        item(begins("left_open"), piece("$.a", stringValue="x")),
        item(begins("args_at_once", args={"b": 2})),
        item(CLOSED),
        item({"functionCall": {"name": "in_one", "partialArgs": [{"jsonPath": "$.c", "numberValue": 3}]}}),
        item(CLOSED),
        item(begins("never_closed"), finish="STOP", **counts(1, 1)),
    )
    assert made(outcome) == [
        (0, "whole", {"a": 1}),
        (1, "left_open", {"a": "x"}),
        (2, "args_at_once", {"b": 2}),
        (3, "in_one", {"c": 3}),
        (4, "never_closed", {}),
    ]


def test_each_choice_has_its_own_open_call() -> None:
    outcome = told(
        item(begins("f"), index=0),
        item(begins("g"), index=1),
        item(piece("$.a", numberValue=1), CLOSED, finish="STOP", index=1),
        item(piece("$.b", numberValue=2), CLOSED, finish="STOP", index=0),
    )
    assert [(name, given) for _, name, given in made(outcome)] == [("g", {"a": 1}), ("f", {"b": 2})]


def test_a_signature_and_an_id_stay_with_their_call() -> None:
    outcome = told(
        item({**begins("f", id="own"), "thoughtSignature": "abcd"}),
        item(piece("$.a", numberValue=1)),
        item(CLOSED, finish="STOP"),
    )
    [one] = [t for chunk in outcome.chunks for c in chunk["choices"] for t in c["delta"].get("tool_calls") or ()]
    assert one["id"] == "own__thought__abcd"


def test_a_caller_of_legacy_functions_hears_of_the_first_call_alone() -> None:
    outcome = told(
        item(begins("f")), item(piece("$.a", numberValue=1), CLOSED), item(calls("g"), finish="STOP"),
        functions=[{"name": "f"}, {"name": "g"}],
    )  # fmt: skip
    said = [c["delta"]["function_call"] for chunk in outcome.chunks for c in chunk["choices"]
            if "function_call" in c["delta"]]  # fmt: skip
    assert said == [{"name": "f", "arguments": '{"a":1}'}]


def test_a_whole_answer_may_hold_pieces_too() -> None:
    answer = item(begins("f"), piece("$.a", numberValue=1), CLOSED, calls("g"), finish="STOP")
    message = Gemini().response(call(), json.dumps(answer).encode()).body["choices"][0]["message"]
    assert [one["function"] for one in message["tool_calls"]] == [
        {"name": "f", "arguments": '{"a":1}'},
        {"name": "g", "arguments": "{}"},
    ]


@pytest.mark.parametrize(
    "path",
    ["", "$", "a", "$..a", "$.a[", "$.a[x]", "$.a[*]", "$[0]", "$.a[1]", "$.s.t", "$.s[0]", "$.l.x", "$.a[9999999]",
     "$" + ".a" * 65],
)  # fmt: skip
def test_a_piece_that_fits_nowhere_is_an_error_and_never_half_a_call(path: str) -> None:
    known = [piece("$.s", stringValue="x"), piece("$.l[0]", numberValue=1)]
    outcome = told(item(begins("f"), *known, piece(path, stringValue="x"), CLOSED, finish="STOP"))
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.code) == (502, "upstream_unavailable")
    assert not any("tool_calls" in c["delta"] for chunk in outcome.chunks for c in chunk["choices"])


def test_pieces_of_no_call_are_passed_over() -> None:
    assert made(told(item(piece("$.a", numberValue=1), CLOSED), item(words("a"), finish="STOP"))) == []
