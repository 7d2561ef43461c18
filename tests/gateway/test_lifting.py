"""Large images go past the parser, and nobody can tell: neither the provider, nor whoever is refused."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import orjson
import pytest

from gateway import bodies, images, lifting
from gateway.bodies import parse_object
from gateway.errors import ApiError
from gateway.providers import providers
from gateway.providers.base import Answer, ChatCall, Outbound
from gateway.schemas import check_chat
from tests.gateway import streams
from tests.gateway.listening import OK, Server, says, serving

NOISE = random.Random(1)  # noqa: S311 - to be repeatable


def data(size: int = 900_000) -> str:
    return base64.b64encode(NOISE.randbytes(size // 4 * 3)).decode()


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def chat(*parts: Any, **more: Any) -> dict[str, Any]:
    text = {"type": "text", "text": 'What, "exactly", is this?'}
    return {"model": "m", "messages": [{"role": "user", "content": [text, *parts]}], **more}


PNG = f"data:image/png;base64,{data()}"
JPEG = f"data:image/jpeg;base64,{data(400_000)}"
LARGE_TEXT = {"type": "text", "text": "x" * bodies.LARGE}  # whatever is beside it, the body is large


class Sent:
    """In place of the network: what would have been sent."""

    def __init__(self) -> None:
        self.outbound: Outbound | None = None

    async def send(self, outbound: Outbound) -> Answer:
        self.outbound = outbound
        raise NotImplementedError


async def sent(kind: str, body: dict[str, Any], **target: Any) -> Outbound:
    provider, network = providers()[kind], Sent()
    made = streams.call({}, kind=kind, capabilities={"vision": True}, **target)
    call = ChatCall(ChatCall.prepared(body, made.target), made.target, "id", 1)
    with pytest.raises(NotImplementedError):
        await provider.send(call, network)
    assert network.outbound is not None
    return network.outbound


@pytest.mark.parametrize("kind", ["openai", "azure_openai", "openai_compatible", "mistral", "anthropic", "gemini"])
@pytest.mark.parametrize("prompt", ["", "Be brief."])
async def test_a_provider_is_sent_what_it_would_have_been_sent(kind: str, prompt: str) -> None:
    content = orjson.dumps(chat(image(PNG, detail="high"), LARGE_TEXT, image(JPEG), image(PNG), max_tokens=5))
    body = parse_object(content)
    assert len(lifting.media_of(body)) == 3
    check_chat(body)
    outbound = await sent(kind, body, default_system_prompt=prompt)
    assert len(outbound.body) < bodies.LARGE + 10_000
    ordinary = await sent(kind, orjson.loads(content), default_system_prompt=prompt)
    assert json.loads(b"".join(outbound.pieces)) == json.loads(ordinary.body)


async def test_what_is_put_aside_is_never_copied() -> None:
    content = orjson.dumps(chat(image(PNG)))
    outbound = await sent("openai", parse_object(content))
    (large,) = [piece for piece in outbound.pieces if len(piece) > lifting.LEAST]
    assert isinstance(large, memoryview)
    assert large.obj is content


async def test_it_arrives() -> None:
    content = orjson.dumps(chat(image(PNG), image(JPEG)))
    server = Server(says(OK))
    async with serving(server) as (client, url):
        body = parse_object(content)
        answer = await client.send(Outbound(url=url, headers={}, body=orjson.dumps(body), media=lifting.media_of(body)))
        assert await answer.read() == b"ok"
    assert json.loads(server.bodies[0]) == json.loads(content)


def test_an_image_as_a_bare_text_is_one_too() -> None:
    body = parse_object(orjson.dumps(chat({"type": "image_url", "image_url": PNG})))
    assert len(lifting.media_of(body)) == 1


def test_names_mean_the_same_in_a_body_with_fetched_images() -> None:
    body = parse_object(orjson.dumps(chat(image(PNG), image("https://example.com/x.png"))))
    placed = images.placed(body, {"https://example.com/x.png": images.PIXEL})
    assert lifting.media_of(placed) == lifting.media_of(body) != {}


@pytest.mark.parametrize(
    "body",
    [
        chat({"type": "text", "text": PNG[: bodies.LARGE + 500]}),  # a text, which is priced by its letters
        chat({"type": "text", "text": f'He said "{PNG[: bodies.LARGE + 500]}" and left.'}),
        chat({"type": "text", "text": f'"{PNG[: bodies.LARGE + 500]}'}),
        chat(image(PNG), **{PNG: 1}),
        chat(image(PNG), metadata={"picture": JPEG}),
        chat(image(PNG), user=JPEG),
        chat({"type": "video_url", "image_url": {"url": PNG}}),
        chat(image(PNG.replace(",", ",-"))),
        chat(image(PNG.replace(",", ",\n"))),
        chat(image(PNG + "é")),
        chat(image(PNG.replace(";base64", ""))),
        chat(image(PNG.replace("image/", "application/"))),
        chat(LARGE_TEXT, image(PNG[: lifting.LEAST - 100])),
        chat(image(PNG[: bodies.LARGE // 2])),
        {"model": "m", "messages": [{"role": "user", "content": PNG}]},
        {"model": "m", "messages": PNG},
        {"model": "m", "messages": [PNG]},
        {"input": [PNG]},
    ],
    ids=range(18),
)
def test_what_only_looks_like_an_image_is_parsed_with_the_rest(body: dict[str, Any], settings: Any) -> None:
    settings.GATEWAY_MAX_TEXT_CHARACTERS = 10**9
    found = parse_object(orjson.dumps(body))
    assert lifting.media_of(found) == {}
    assert found == body


def test_of_a_name_that_is_given_twice_the_last_counts() -> None:
    content = b'{"messages":[{"content":[{"type":"image_url","image_url":{"url":"%b","url":"%b"}}]}]}'
    found = parse_object(content % (PNG.encode(), JPEG.encode()))
    assert found["messages"][0]["content"][0]["image_url"]["url"] == JPEG


def test_a_text_as_long_as_an_image_is_refused_as_before(settings: Any) -> None:
    settings.GATEWAY_MAX_TEXT_CHARACTERS = 1000
    with pytest.raises(ApiError) as caught:
        parse_object(orjson.dumps(chat({"type": "text", "text": PNG})))
    assert caught.value.param == "messages[0].content[1].text"
    assert parse_object(orjson.dumps(chat(image(PNG))))


@pytest.mark.parametrize("end", [b"", b"}", b",}", b"]"])
def test_a_fault_is_told_where_the_caller_finds_it(end: bytes) -> None:
    content = orjson.dumps(chat(image(PNG)))[:-1] + end
    if end == b"}":
        assert parse_object(content)
        return
    with pytest.raises(ApiError) as caught:
        parse_object(content)
    with pytest.raises(orjson.JSONDecodeError) as plain:
        orjson.loads(content)
    assert f"column {plain.value.colno}." in caught.value.message
