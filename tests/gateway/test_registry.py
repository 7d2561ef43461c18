"""Who answers for a name: itself while it lives, its successor after, nobody when that is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from accounts.directory import Principal
from gateway.errors import ApiError
from gateway.models import Model, Provider, Route
from gateway.registry import Entry, Registry, Snapshot
from tests.pools import open_pool

TODAY = date(2026, 11, 23)
CALLER = Principal(1, 1, "acme", None, None, revoked=False, suspended=False, sandbox_enabled=True, retired_models="")


def entry(name: str, **fields: Any) -> Entry:
    known: dict[str, Any] = {
        "owned_by": "v",
        "description": "",
        "vendor_id": name,
        "context_window": None,
        "max_output_tokens": None,
        "capabilities": {},
        "default_system_prompt": "",
        "sandbox": False,
        "demonstration": False,
        "deprecated_on": None,
        "shutdown_on": None,
        "vendor_gone": False,
        "successor": None,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Entry(id=name, **{**known, **fields})


def snapshot(*entries: Entry) -> Snapshot:
    return Snapshot({one.id: one for one in entries})


OLD = entry("old", shutdown_on=date(2026, 10, 23), successor="new")
NEW = entry("new")


@pytest.mark.parametrize(
    "retired",
    [
        {"shutdown_on": date(2026, 11, 23)},
        {"shutdown_on": date(2020, 1, 1)},
        {"vendor_id": ""},
        {"vendor_gone": True},
    ],
)
def test_a_retired_model_is_answered_by_its_successor(retired: dict[str, Any]) -> None:
    old = entry("old", successor="new", **retired)
    assert snapshot(old, NEW).serving(old, policy="follow", today=TODAY) is NEW


@pytest.mark.parametrize(
    "living", [{}, {"shutdown_on": date(2026, 11, 24)}, {"deprecated_on": date(2026, 1, 1)}], ids=str
)
def test_a_living_model_answers_itself_even_when_its_end_is_known(living: dict[str, Any]) -> None:
    old = entry("old", successor="new", **living)
    assert snapshot(old, NEW).serving(old, policy="refuse", today=TODAY) is old


def test_a_chain_is_followed_to_the_first_that_lives() -> None:
    middle = entry("middle", vendor_gone=True, successor="new")
    first = entry("first", vendor_id="", successor="middle")
    assert snapshot(first, middle, NEW).serving(first, policy="follow", today=TODAY) is NEW


def test_refusal_names_the_successor_and_the_date() -> None:
    with pytest.raises(ApiError) as caught:
        snapshot(OLD, NEW).serving(OLD, policy="refuse", today=TODAY)
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
    assert "2026-10-23" in caught.value.message
    assert "'new'" in caught.value.message


def test_a_circle_of_the_dead_is_an_answer_not_a_loop() -> None:
    one, two = entry("one", vendor_gone=True, successor="two"), entry("two", vendor_gone=True, successor="one")
    with pytest.raises(ApiError) as caught:
        snapshot(one, two).serving(one, policy="follow", today=TODAY)
    assert caught.value.status == 404


def test_the_sandbox_is_there_only_for_those_who_keep_it_on() -> None:
    echo = entry("sandbox/echo", sandbox=True)
    without = Principal(
        1, 1, "acme", None, None, revoked=False, suspended=False, sandbox_enabled=False, retired_models=""
    )
    models = snapshot(echo, NEW)
    assert models.find("sandbox/echo", CALLER) is echo
    assert models.visible_to(without) == [NEW]
    with pytest.raises(ApiError) as caught:
        models.find("sandbox/echo", without)
    assert caught.value.status == 404


def test_a_key_knows_only_the_models_that_it_may_use() -> None:
    models = snapshot(entry("small"), entry("small-2"), entry("large"))
    limited = replace(CALLER, models_allowed="small\nlarge*")
    assert [one.id for one in models.visible_to(limited)] == ["small", "large"]
    assert models.find("large", limited).id == "large"
    with pytest.raises(ApiError, match="may not use the model 'small-2'") as caught:
        models.find("small-2", limited)
    assert (caught.value.status, caught.value.code, caught.value.param) == (403, "model_not_allowed", "model")
    with pytest.raises(ApiError) as unknown:
        models.find("none", limited)
    assert unknown.value.code == "model_not_found"


def test_the_model_object_tells_of_its_end() -> None:
    shown = OLD.to_openai(TODAY)
    assert (shown["lifecycle"], shown["shutdown_date"], shown["successor"]) == ("retired", "2026-10-23", "new")
    assert (shown["object"], shown["owned_by"], type(shown["created"])) == ("model", "v", int)


@pytest.mark.django_db(transaction=True)
def test_the_tables_become_targets_in_order_and_missing_credentials_are_named(settings: Any) -> None:
    settings.PROVIDER_SECRET = {"SET_KEY": "s3cret"}.get
    ready = Provider.objects.create(
        slug="ready", name="R", kind="openai", base_url="http://r/v1", api_key_env="SET_KEY", options={"a": 1, "b": 1}
    )
    bare = Provider.objects.create(slug="bare", name="B", kind="openai", api_key_env="UNSET_KEY")
    off = Provider.objects.create(slug="off", name="O", kind="openai", api_key_env="SET_KEY", enabled=False)
    model = Model.objects.create(id="m", owned_by="v", vendor_id="m")
    Model.objects.create(id="hidden", owned_by="v", vendor_id="h", enabled=False)
    for position, (provider, upstream) in enumerate([(bare, "x"), (off, "y"), (ready, "second"), (ready, "third")]):
        Route.objects.create(
            model=model, provider=provider, upstream_model=upstream, position=position, options={"b": position}
        )

    found = _current()
    assert list(found.models) == ["m"]
    targets = found.models["m"].targets
    assert [(target.provider, target.upstream_model) for target in targets] == [("ready", "second"), ("ready", "third")]
    assert targets[0].options == {"a": 1, "b": 2}
    assert targets[0].credential == "s3cret"
    assert "s3cret" not in repr(targets)
    assert found.models["m"].missing_credentials == ("bare (UNSET_KEY)",)


@pytest.mark.django_db(transaction=True)
def test_what_the_vendor_dropped_is_retired_for_good() -> None:
    Model.objects.create(id="m", owned_by="v", vendor_id="m")
    assert _current(gone="m").models["m"].vendor_gone


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_does_not_keep_a_caller_from_the_successor(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with open_pool() as pool:
            registry = Registry(pool)
        await registry.mark_gone("m")  # the pool is closed

    asyncio.run(main())
    assert "could not note that the vendor no longer has m" in caplog.text


def _current(gone: str = "") -> Snapshot:
    async def main() -> Snapshot:
        async with open_pool() as pool:
            registry = Registry(pool)
            first = await registry.current()
            if not gone:
                return first
            await registry.mark_gone(gone)
            await registry.current()
            await asyncio.sleep(0.2)
            return await registry.current()

    return asyncio.run(main())
