"""What a request or an answer costs does not grow with the bytes of what is in it: those are handled in C."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from gateway import images
from gateway.providers.base import ChatCall
from gateway.providers.gemini import Gemini
from gateway.sse import MAX_LINE
from gateway.translation.gemini_embeddings import embeddings
from tests.gateway import streams
from tests.gateway.gemini.answers import body_of, item, words
from tests.gateway.gemini.asking import OLDER, USER, call, result, tool_calls

SMALL, LARGE = 3_000, 20 * 1024 * 1024


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python and calls from it the work takes."""
    taken = 0

    def line(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal taken
        taken += 1
        return line

    def called(frame: FrameType, event: str, argument: object) -> None:
        nonlocal taken
        taken += event.startswith("c_call")

    before, profiled = sys.gettrace(), sys.getprofile()
    sys.settrace(line)
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.settrace(before)
        sys.setprofile(profiled)
    return taken


def encoded(size: int, breaks: bool) -> str:
    data = base64.encodebytes(b"x" * (size * 3 // 4)) if breaks else base64.b64encode(b"x" * (size * 3 // 4))
    return data.decode()


def asked(part: dict[str, Any]) -> ChatCall:
    looked = result("a", [{"type": "text", "text": "seen"}, part])
    said = [{"role": "user", "content": [part]}, tool_calls(("a", "look", "{}")), looked]
    return call({"messages": said}, capabilities=OLDER)


@pytest.mark.parametrize("breaks", [False, True])
def test_an_image_goes_up_without_a_look_at_its_bytes(breaks: bool) -> None:
    def work(size: int) -> int:
        chat = asked({"type": "image_url", "image_url": {"url": "data:image/png;base64," + encoded(size, breaks)}})
        return steps(lambda: Gemini().request(chat))

    work(SMALL)  # what is remembered from the first time on
    assert work(LARGE) == work(SMALL) > 100


@pytest.mark.parametrize("field", ["file_data", "url"])
def test_files_and_addresses_of_any_length_cost_the_same(field: str) -> None:
    def work(size: int) -> int:
        file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "JVBERi" + encoded(size, breaks=False)}}
        chat = asked(file) if field == "file_data" else call({"messages": [USER]}, capabilities={"image_urls": False})
        links = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:" + "x" * size}}]}]
        return steps(lambda: (Gemini().request(chat), images.linked(links)))

    work(SMALL)
    assert work(LARGE) == work(SMALL) > 100


def test_a_long_text_is_read_without_a_look_at_its_letters() -> None:
    def work(size: int) -> int:
        answer = item(words("x" * size), finish="STOP")
        whole, streamed = json.dumps(answer).encode(), body_of(answer)
        chat = call({"stream": True}, usage=False)
        assert streams.run(Gemini(), chat, [streamed]).error is None
        return steps(lambda: (Gemini().response(chat, whole), streams.run(Gemini(), chat, [streamed])))

    work(SMALL)
    assert work(MAX_LINE - SMALL) == work(SMALL) > 100


def test_a_vector_is_packed_without_a_look_at_its_numbers() -> None:
    def work(size: int) -> int:
        answer = json.dumps({"embeddings": [{"values": [0.5] * size}]}).encode()
        return steps(lambda: embeddings({"input": "a", "encoding_format": "base64"}, "m", answer))

    work(10)
    assert work(100_000) == work(10) > 10
