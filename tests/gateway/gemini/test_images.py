"""Images by URL for models that read no URLs: fetched before the request goes up, and only for those."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any, cast

import pytest
from pytest_django import Settings

from billing.entries import Entry as LedgerEntry
from billing.ledger import Ledger
from gateway import request_ids
from gateway.dispatch import Dispatch, Request
from gateway.egress import Egress
from gateway.errors import ApiError
from gateway.operations import CHAT
from gateway.payment import Cashier
from gateway.providers.base import Answer, Outbound, Target
from gateway.providers.gemini import Gemini
from gateway.registry import Registry, Snapshot
from tests.gateway.gemini.answers import item, words
from tests.gateway.gemini.asking import USER, call, result, tool_calls
from tests.gateway.gemini.test_framing import Recorded
from tests.gateway.test_dispatch import Free, Rows
from tests.gateway.test_images import PNG, answer, serving
from tests.gateway.test_registry import CALLER, entry, snapshot

BLIND = {"image_urls": False}


class Wire:
    """An outbound client that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[Outbound] = []

    async def send(self, outbound: Outbound) -> Answer:
        self.sent.append(outbound)
        return Recorded([b"{}"])


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    settings.GATEWAY_IMAGE_HOSTS = ["127.0.0.1"]


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


async def sent(body: dict[str, Any], **capabilities: Any) -> dict[str, Any]:
    wire = Wire()
    await Gemini().send(await Gemini().prepare(call(body, capabilities=capabilities)), wire)
    made: dict[str, Any] = json.loads(wire.sent[0].body)
    return made


@pytest.mark.parametrize("media", ["image/png", "image/jpg", "image/webp", "image/heic", "image/heif"])
async def test_an_image_is_fetched_for_a_model_that_reads_no_urls(media: str) -> None:
    async with serving({"/a": answer(media=media)}) as (base, asked):
        body = {"messages": [{"role": "user", "content": [picture(f"{base}/a"), picture(f"{base}/a")]}]}
        parts = (await sent(body, **BLIND))["contents"][0]["parts"]
    data = {"mimeType": media.replace("jpg", "jpeg"), "data": base64.b64encode(PNG).decode()}
    assert parts == [{"inlineData": data}, {"inlineData": data}]
    assert asked == ["/a"]


async def test_a_model_that_reads_urls_is_given_them() -> None:
    async with serving({}) as (base, asked):
        body = {"messages": [{"role": "user", "content": [picture(f"{base}/a")]}]}
        assert (await sent(body))["contents"][0]["parts"] == [{"fileData": {"fileUri": f"{base}/a"}}]
    assert asked == []


async def test_a_picture_in_a_result_is_fetched_too() -> None:
    async with serving({"/a": answer()}) as (base, _):
        messages = [USER, tool_calls(("a", "look", "{}")), result("a", [picture(f"{base}/a")])]
        made = await sent({"messages": messages}, **BLIND)
    assert made["contents"][2]["parts"][0]["functionResponse"]["parts"][0]["inlineData"]["mimeType"] == "image/png"


@pytest.mark.parametrize("spoilt", [{"n": 2}, {"reasoning_effort": "x"}, {"stop": ["a"] * 6}])
async def test_nothing_is_fetched_for_what_would_be_refused(spoilt: dict[str, Any]) -> None:
    async with serving({"/a": answer()}) as (base, asked):
        body = {"messages": [{"role": "user", "content": [picture(f"{base}/a")]}], **spoilt}
        with pytest.raises(ApiError) as caught:
            await sent(body, **BLIND, n=False)
    assert caught.value.param in spoilt
    assert asked == []


async def test_nothing_is_fetched_for_a_model_without_eyes() -> None:
    async with serving({"/a": answer()}) as (base, asked):
        with pytest.raises(ApiError) as caught:
            await sent({"messages": [{"role": "user", "content": [picture(f"{base}/a")]}]}, **BLIND, vision=False)
    assert caught.value.code == "unsupported_value"
    assert asked == []


async def test_what_cannot_be_fetched_is_refused_by_its_place_before_anything_goes_up() -> None:
    async with serving({"/a": answer(media="image/gif")}) as (base, _):
        content = [{"type": "text", "text": "look"}, picture(f"{base}/a")]
        with pytest.raises(ApiError) as caught:
            await Gemini().prepare(call({"messages": [USER, {"role": "user", "content": content}]}, capabilities=BLIND))
    assert (caught.value.status, caught.value.param) == (400, "messages[1].content[1]")


class OneModel:
    """A registry of one model that reads no URLs."""

    async def current(self) -> Snapshot:
        target = Target("google", "gemini", "http://127.0.0.1:9/v1beta", None, "one", "g", capabilities=BLIND)
        return snapshot(replace(entry("one", capabilities=BLIND), targets=(target,)))


async def test_no_earlier_look_at_the_models_capabilities_stands_in_the_way() -> None:
    class Speaking(Wire):
        async def send(self, outbound: Outbound) -> Answer:
            self.sent.append(outbound)
            return Recorded([json.dumps(item(words("a cat"), finish="STOP")).encode()])

    wire = Speaking()
    dispatch = Dispatch(
        registry=cast("Registry", OneModel()),
        ledger=cast("Ledger", Rows()),
        cashier=cast("Cashier", Free()),
        egress=cast("Egress", wire),
    )
    async with serving({"/a": answer()}) as (base, asked):
        body = {"model": "one", "messages": [{"role": "user", "content": [picture(f"{base}/a")]}]}
        content, _ = await dispatch.complete(Request(CHAT, body, CALLER, LedgerEntry(request_ids.new(), 1, 1)))
    assert json.loads(content)["choices"][0]["message"]["content"] == "a cat"
    assert (asked, len(wire.sent)) == (["/a"], 1)
