"""The caller's messages as Gemini's contents."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from gateway.translation.gemini_signatures import SKIP_VALIDATOR
from tests.gateway.gemini.asking import OLDER, USER, refusal, result, sent, tool_calls

PNG = "data:image/png;base64,iVBORw0KGgo="
CALLS = tool_calls(("a", "add", '{"x":1}'), ("b", "sub", ""))


def contents(*messages: dict[str, Any], **capabilities: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = sent({"messages": list(messages)}, capabilities=capabilities)["contents"]
    return made


def parts(content: Any, **capabilities: Any) -> list[dict[str, Any]]:
    """What a user's content becomes."""
    made: list[dict[str, Any]] = contents({"role": "user", "content": content}, **capabilities)[0]["parts"]
    return made


def test_system_and_developer_messages_are_the_system_instruction() -> None:
    messages = [
        {"role": "system", "content": "one"},
        USER,
        {"role": "developer", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": ""}]},
    ]
    made = sent({"messages": messages})
    assert made["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}
    assert made["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]


def test_a_conversation_keeps_its_turns() -> None:
    said = [USER, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more", "name": "bob"}]
    assert contents(*said) == [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"text": "hello"}]},
        {"role": "user", "parts": [{"text": "more"}]},
    ]


def test_assistant_messages_in_a_row_are_one_turn() -> None:
    made = contents(
        USER,
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": None, "refusal": "never"},
        {"role": "assistant", "content": ""},
        **OLDER,
    )
    assert made[1:] == [{"role": "model", "parts": [{"text": "no"}, {"text": "never"}]}]


def test_an_empty_turn_is_not_sent_empty() -> None:
    assert parts("") == [{"text": "."}]
    assert contents({"role": "assistant", "content": "hello"})[0] == {"role": "user", "parts": [{"text": "."}]}


def test_a_model_that_does_not_go_on_from_its_own_words_is_asked_to() -> None:
    said = [USER, {"role": "assistant", "content": "Once upon"}]
    assert contents(*said)[2:] == [{"role": "user", "parts": [{"text": "Continue."}]}]
    assert contents(*said, **OLDER)[2:] == []
    assert contents(*said, prefill=True)[2:] == []


def test_calls_and_results_are_paired() -> None:
    made = contents(USER, CALLS, result("a", "3"), result("b", [{"type": "text", "text": "4"}]), **OLDER)
    assert made[1]["role"] == "model"
    assert [part["functionCall"] for part in made[1]["parts"]] == [
        {"id": "a", "name": "add", "args": {"x": 1}},
        {"id": "b", "name": "sub", "args": {}},
    ]
    assert made[2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "a", "name": "add", "response": {"result": "3"}}},
            {"functionResponse": {"id": "b", "name": "sub", "response": {"result": "4"}}},
        ],
    }


def test_results_follow_their_calls_in_any_order_of_messages() -> None:
    loose = [result("a", "3"), result("b", "4"), {"role": "user", "content": "go on"}]
    expected = contents(USER, CALLS, *loose)
    assert expected[3] == {"role": "user", "parts": [{"text": "go on"}]}
    for order in itertools.permutations(loose):
        assert contents(USER, CALLS, *order) == expected


@pytest.mark.parametrize(
    ("arguments", "args"),
    [("", {}), (" ", {}), ("null", {}), ('{"a":[1]}', {"a": [1]}), ("[1]", {"_raw": "[1]"}), ('{"a', {"_raw": '{"a'})],
)
def test_arguments_are_always_an_object(arguments: str, args: dict[str, Any]) -> None:
    made = contents(USER, tool_calls(("a", "f", arguments)), result("a", ""))
    assert made[1]["parts"][0]["functionCall"]["args"] == args
    assert made[2]["parts"][0]["functionResponse"]["response"] == {"result": ""}


def test_the_first_of_unsigned_calls_says_that_it_is_unsigned_where_the_model_asks() -> None:
    made = contents(USER, CALLS, result("a", "3"), result("b", "4"))
    assert [part.get("thoughtSignature") for part in made[1]["parts"]] == [SKIP_VALIDATOR, None]
    older = contents(USER, CALLS, result("a", "3"), result("b", "4"), **OLDER)
    assert not any("thoughtSignature" in part for part in older[1]["parts"])


def test_an_empty_id_is_not_sent() -> None:
    made = contents(USER, tool_calls(("", "add", "{}")), result("", "3"), **OLDER)
    assert made[1]["parts"] == [{"functionCall": {"name": "add", "args": {}}}]
    assert made[2]["parts"] == [{"functionResponse": {"name": "add", "response": {"result": "3"}}}]


def test_legacy_calls_are_paired_by_name() -> None:
    called = {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}}
    made = contents(USER, called, {"role": "function", "name": "add", "content": "3"}, **OLDER)
    assert made[1]["parts"] == [{"functionCall": {"id": "call_legacy_1", "name": "add", "args": {}}}]
    response = {"id": "call_legacy_1", "name": "add", "response": {"result": "3"}}
    assert made[2]["parts"] == [{"functionResponse": response}]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "system", "content": "x"}], "messages"),
        ([USER, CALLS, result("a", "3")], "messages[1].tool_calls[1].id"),
        ([USER, CALLS, result("a", "3"), {"role": "assistant", "content": "x"}, result("b", "")],
         "messages[1].tool_calls[1].id"),
        ([USER, result("a", "3")], "messages[1].tool_call_id"),
        ([USER, CALLS, result("a", "3"), result("a", "3")], "messages[3].tool_call_id"),
        ([USER, CALLS, {"role": "tool", "content": "3"}], "messages[2].tool_call_id"),
        ([USER, {"role": "function", "name": "add", "content": "3"}], "messages[1].name"),
        ([USER, {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}],
         "messages[1].function_call"),
        ([USER, {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]}], "messages[1].tool_calls[0]"),
        ([{"role": "system", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}, USER],
         "messages[0].content[0]"),
    ],
)  # fmt: skip
def test_a_conversation_that_does_not_hold_together_is_refused_by_place(messages: list[Any], param: str) -> None:
    assert refusal({"messages": messages}).param == param


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "image_url", "image_url": {"url": PNG}},
         {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}),
        ({"type": "image_url", "image_url": "data:IMAGE/JPG;charset=x;base64,/9j/\n4A=="},
         {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/4A=="}}),
        ({"type": "image_url", "image_url": {"url": "https://example.com/cat.png?w=1"}},
         {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/cat.png?w=1"}}),
        ({"type": "image_url", "image_url": {"url": "https://example.com/cat"}},
         {"fileData": {"fileUri": "https://example.com/cat"}}),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
         {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}}),
        ({"type": "file", "file": {"file_data": "JVBERi0="}},
         {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}}),
        ({"type": "file", "file": {"filename": "a.txt", "file_data": "aGk="}},
         {"inlineData": {"mimeType": "text/plain", "data": "aGk="}}),
    ],
)  # fmt: skip
def test_media_go_up_as_they_are_or_by_their_address(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert parts([{"type": "text", "text": "look"}, part]) == [{"text": "look"}, expected]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}, ""),
        ({"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}, ""),
        ({"type": "file", "file": {"file_id": "file-1"}}, ".file.file_id"),
        ({"type": "file", "file": {}}, ".file.file_data"),
        ({"type": "file", "file": {"file_data": "aGk="}}, ""),
        ({"type": "file", "file": {"file_data": "data:video/mp4;base64,aGk="}}, ""),
        ({"type": "file"}, ".file"),
        ({"type": "image_url"}, ".image_url.url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,raw"}}, ""),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}, ""),
        ({"type": "image_url", "image_url": {"url": "gs://bucket/cat.png"}}, ".image_url.url"),
        ({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, ".image_url.url"),
        ({"type": "image_url", "image_url": {"url": "https://[bad"}}, ".image_url.url"),
        ({"type": "image_url",
          "image_url": {"url": "https://generativelanguage.googleapis.com/v1beta/files/another"}}, ".image_url.url"),
    ],
)  # fmt: skip
def test_media_that_cannot_go_up_are_refused_by_place(part: dict[str, Any], param: str) -> None:
    content = [{"type": "text", "text": "look"}, part]
    assert refusal({"messages": [{"role": "user", "content": content}]}).param == f"messages[0].content[1]{param}"


@pytest.mark.parametrize(
    ("capabilities", "part"),
    [
        ({"vision": False}, {"type": "image_url", "image_url": {"url": PNG}}),
        ({"vision": False}, {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}),
        ({"image_urls": False}, {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}),
    ],
)
def test_a_model_without_eyes_is_shown_nothing(capabilities: dict[str, Any], part: dict[str, Any]) -> None:
    error = refusal({"messages": [{"role": "user", "content": [part]}]}, **capabilities)
    assert error.code == "unsupported_value"


def test_audio_goes_up_to_models_that_listen() -> None:
    heard = parts([{"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}}], audio=True)
    assert heard == [{"inlineData": {"mimeType": "audio/mp3", "data": "aGk="}}]


def test_a_picture_in_a_result_is_part_of_it_or_follows_it() -> None:
    picture = [{"type": "text", "text": "seen"}, {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}]
    inline = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    newer = contents(USER, tool_calls(("a", "look", "{}")), result("a", picture))
    assert newer[2]["parts"][0]["functionResponse"]["parts"] == [inline]
    assert len(newer) == 3
    older = contents(USER, tool_calls(("a", "look", "{}")), result("a", picture), **OLDER)
    assert older[2]["parts"][0]["functionResponse"]["response"] == {"result": "seen"}
    assert older[3] == {"role": "user", "parts": [inline]}


@pytest.mark.parametrize("url", [PNG, "https://pictures.example/cat.png"])
@pytest.mark.parametrize(
    ("detail", "level"),
    [
        ("low", "MEDIA_RESOLUTION_LOW"),
        ("high", "MEDIA_RESOLUTION_HIGH"),
        ("auto", None),
        ("original", None),
        ([], None),
    ],
)
def test_the_detail_of_a_picture_is_its_resolution_where_the_model_knows_one(
    url: str, detail: Any, level: str | None
) -> None:
    picture = [{"type": "image_url", "image_url": {"url": url, "detail": detail}}]
    assert parts(picture)[0].get("mediaResolution") == (level and {"level": level})
    assert "mediaResolution" not in parts(picture, **OLDER)[0]
