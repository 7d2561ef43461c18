"""Images, documents and text of the caller as Anthropic's blocks."""

from __future__ import annotations

import base64
import sys
import tracemalloc
from types import FrameType
from typing import Any

import pytest

from gateway.providers.anthropic import Anthropic
from gateway.translation.anthropic_request import message_request
from tests.gateway import streams
from tests.gateway.anthropic.rules import USER, refusal, sent

PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQK"
NOTE = base64.b64encode("Grüße".encode()).decode()


def block(part: dict[str, Any], **target: Any) -> dict[str, Any]:
    made: dict[str, Any] = sent({"messages": [{"role": "user", "content": [part]}]}, **target)["messages"][0][
        "content"
    ][0]
    return made


def image(url: str, **fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}, **fields}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


@pytest.mark.parametrize("media", ["jpeg", "png", "gif", "webp"])
def test_an_embedded_image_goes_up_as_it_is(media: str) -> None:
    source = {"type": "base64", "media_type": f"image/{media}", "data": PNG}
    assert block(image(f"data:image/{media};base64,{PNG}")) == {"type": "image", "source": source}


@pytest.mark.parametrize(
    ("url", "media"),
    [
        (f"data:image/jpg;base64,{PNG}", "image/jpeg"),
        (f"DATA:IMAGE/PNG;BASE64,{PNG}", "image/png"),
        (f"data:image/png;charset=binary;base64,{PNG}", "image/png"),
        (f"data:image/png;base64,{PNG[:4]}\r\n {PNG[4:]}", "image/png"),
    ],
)
def test_data_urls_are_read_as_they_occur(url: str, media: str) -> None:
    assert block(image(url))["source"] == {"type": "base64", "media_type": media, "data": PNG}


def test_of_twenty_megabytes_of_image_one_copy_is_made_for_the_request() -> None:
    """Memory is measured and not time. Writing the request as JSON copies it once more."""
    size = 20_000_000
    call = streams.call({"messages": [{"role": "user", "content": [image("data:image/png;base64," + "A" * size)]}]})
    tracemalloc.start()
    try:
        made = message_request(call)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(made["messages"][0]["content"][0]["source"]["data"]) == size
    assert kept <= peak < 1.1 * size


def lines_run(size: int) -> int:
    """How many lines of ours it takes to translate an image of so many characters."""
    call = streams.call({"messages": [{"role": "user", "content": [image("data:image/png;base64," + "A" * size)]}]})
    run = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal run
        run += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        Anthropic().request(call)
    finally:
        sys.settrace(before)
    return run


def test_an_image_takes_no_more_steps_the_larger_it_is() -> None:
    assert lines_run(4) == lines_run(2_000_000)


@pytest.mark.parametrize(
    "url", ["data:" + "x" * 5000, "data:" + ";" * 100_000, "data:image/png", "data:,x", "data:;x,y"]
)
def test_a_data_url_that_hides_where_its_data_begins_is_refused(url: str) -> None:
    assert refusal({"messages": [{"role": "user", "content": [image(url)]}]}).param == AT


def test_an_image_on_the_web_is_left_for_anthropic_to_fetch() -> None:
    made = {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}
    assert block(image("https://x.test/a.png")) == made
    assert block({"type": "image_url", "image_url": "https://x.test/a.png"}) == made


def test_a_pdf_is_a_document_however_it_comes() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert block(image(f"data:application/pdf;base64,{PDF}")) == {"type": "document", "source": source}
    titled = {"type": "document", "source": source, "title": "a.pdf"}
    assert block(file(filename="a.pdf", file_data=f"data:application/pdf;base64,{PDF}")) == titled
    assert block(file(filename="a.pdf", file_data=PDF)) == titled
    assert block(file(file_data=PDF)) == {"type": "document", "source": source}


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.txt", f"data:text/plain;base64,{NOTE}"), ("a.md", f"data:text/markdown;base64,{NOTE}"), ("a.txt", NOTE)],
)
def test_a_text_file_goes_up_decoded(name: str, data: str) -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Grüße"}
    assert block(file(filename=name, file_data=data)) == {"type": "document", "source": source, "title": name}


def test_an_image_file_is_an_image() -> None:
    assert block(file(filename="a.png", file_data=PNG))["type"] == "image"


def test_a_stored_file_is_named_with_the_beta_it_needs() -> None:
    part = file(file_id="file_011CNha8iCJcU1wXNR6q4V8w")
    assert block(part) == {"type": "document", "source": {"type": "file", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}}
    asked = {"messages": [{"role": "user", "content": [part]}]}
    assert "anthropic-beta" in Anthropic().request(streams.call(asked, kind="anthropic")).headers
    assert "anthropic-beta" not in Anthropic().request(streams.call({"messages": [USER]}, kind="anthropic")).headers


def test_a_cache_mark_stays_on_its_part() -> None:
    mark = {"type": "ephemeral"}
    assert block(image("https://x.test/a.png", cache_control=mark))["cache_control"] == mark


AT = "messages[0].content[0]"


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}, AT),
        ({"type": "video_url"}, AT),
        ({"type": "refusal", "refusal": "x"}, AT),
        ({"type": "text"}, f"{AT}.text"),
        ({"type": "text", "text": 7}, f"{AT}.text"),
        ({"type": "image_url"}, f"{AT}.image_url.url"),
        ({"type": "image_url", "image_url": {}}, f"{AT}.image_url.url"),
        (image("ftp://x.test/a.png"), f"{AT}.image_url.url"),
        (image("file:///etc/passwd"), f"{AT}.image_url.url"),
        (image("data:image/png,abc"), AT),
        (image("data:image/png;base64,"), AT),
        (image(f"data:image/tiff;base64,{PNG}"), AT),
        ({"type": "file"}, f"{AT}.file"),
        (file(filename="a.pdf"), f"{AT}.file.file_data"),
        (file(file_id="file-openai123"), f"{AT}.file.file_id"),
        (file(filename="a.zip", file_data="UEsDBA=="), AT),
        (file(filename="a.txt", file_data="data:text/plain;base64,/w=="), AT),
        (file(filename="a.txt", file_data="data:text/plain;base64,???"), AT),
    ],
)
def test_what_cannot_be_sent_is_refused_and_never_dropped(part: dict[str, Any], param: str) -> None:
    assert refusal({"messages": [{"role": "user", "content": [part]}]}).param == param


@pytest.mark.parametrize("part", [7, {"text": "x"}])
def test_a_part_must_be_an_object_with_a_type(part: Any) -> None:
    assert refusal({"messages": [{"role": "user", "content": [part]}]}).param == AT


def test_content_must_be_text_or_a_list() -> None:
    assert refusal({"messages": [{"role": "user", "content": {"type": "text"}}]}).param == "messages[0].content"


@pytest.mark.parametrize(
    ("part", "capability"),
    [
        (image("https://x.test/a.png"), "vision"),
        (image(f"data:image/png;base64,{PNG}"), "vision"),
        (file(file_data=PDF), "pdf"),
    ],
)
def test_a_model_that_does_not_take_it_says_so(part: dict[str, Any], capability: str) -> None:
    error = refusal({"messages": [{"role": "user", "content": [part]}]}, capabilities={capability: False})
    assert (error.param, error.code) == (AT, "unsupported_value")
