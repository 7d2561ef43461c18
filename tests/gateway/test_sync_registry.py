"""sync_registry: the tables come to say what the file says, nothing else is touched, and errors name their place."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from billing.models import Price
from gateway.models import Model, Provider, Route
from tests.factories import make_model, make_price, make_price_list, make_provider, make_route

SHIPPED = Path(__file__).parents[2] / "gateway" / "registry.toml"

OPENAI = """
[[provider]]
slug = "openai"
name = "OpenAI"
kind = "openai"
base_url = "https://api.example/v1"
api_key_env = "OPENAI_API_KEY"
"""
SMALL = """
[[model]]
id = "small"
owned_by = "openai"
description = "A small model"
context_window = 1000
shutdown_on = 2027-01-14
capabilities = { vision = true }
prices = { input = "0.15", cached_input = "0.075", output = "0.60", tiers = [{ above = 200, input = "0.30" }] }
routes = [
    { provider = "openai", model = "small-2", options = { drop = ["top_p"] } },
    { provider = "openai", model = "small-1" },
]
"""
PRICES = SMALL[SMALL.index("prices = ") + len("prices = ") : SMALL.index("\nroutes")]
LOCAL = """
[[provider]]
slug = "local"
kind = "openai_compatible"
base_url_env = "LOCAL_MODEL_URL"
needs_credential = false
"""


@pytest.fixture(autouse=True)
def environment(settings: Settings) -> dict[str, str]:
    variables: dict[str, str] = {}
    settings.PROVIDER_SECRET = variables.get
    return variables


class Sync:
    """Runs the command on a text."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "models.toml"

    def __call__(self, text: str, *arguments: str) -> str:
        self.file.write_text(text, encoding="utf-8")
        out = StringIO()
        call_command("sync_registry", str(self.file), *arguments, stdout=out)
        return out.getvalue()

    def complaint(self, text: str, *arguments: str) -> str:
        with pytest.raises(CommandError) as caught:
            self(text, *arguments)
        return str(caught.value)


@pytest.fixture
def sync(db: None, tmp_path: Path) -> Sync:
    return Sync(tmp_path)


# -- what the tables say afterwards -----------------------------------------------------------


def test_a_file_becomes_rows(sync: Sync) -> None:
    assert sync(OPENAI + SMALL).splitlines()[-1] == "2 created, 0 changed, 0 unchanged."
    provider, model, price = Provider.objects.get(), Model.objects.get(), Price.objects.get()
    assert (provider.slug, provider.kind, provider.api_key_env) == ("openai", "openai", "OPENAI_API_KEY")
    assert (provider.needs_credential, provider.enabled) == (True, True)
    assert (model.id, model.vendor_id, model.context_window) == ("small", "small", 1000)
    assert model.shutdown_on == date(2027, 1, 14)
    assert model.capabilities == {"vision": True}
    assert (price.input, price.cached_input, price.cache_write) == (Decimal("0.15"), Decimal("0.075"), None)
    assert price.tiers == [{"above": 200, "input": "0.30"}]
    assert [(route.upstream_model, route.options) for route in model.routes.all()] == [
        ("small-2", {"drop": ["top_p"]}),
        ("small-1", {}),
    ]


def test_the_shipped_file_syncs_and_a_second_time_changes_nothing(db: None) -> None:
    first, second = StringIO(), StringIO()
    call_command("sync_registry", str(SHIPPED), stdout=first)
    call_command("sync_registry", str(SHIPPED), stdout=second)
    count = Provider.objects.count() + Model.objects.count()
    assert f"{count} created, 0 changed, 0 unchanged." in first.getvalue()
    assert second.getvalue() == f"0 created, 0 changed, {count} unchanged.\n"
    assert Price.objects.count() == Model.objects.count()


def test_a_change_is_told_in_a_line_of_its_own(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    changed = SMALL.replace("A small model", "Small").replace("context_window = 1000", "context_window = 2000")
    said = sync(OPENAI + changed).splitlines()
    assert said == [
        "changed model small: description A small model -> Small; context_window 1000 -> 2000",
        "0 created, 1 changed, 1 unchanged.",
    ]
    assert Model.objects.get().context_window == 2000


def test_a_field_that_leaves_the_file_is_emptied(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    assert "shutdown_on 2027-01-14 -> none" in sync(OPENAI + SMALL.replace("shutdown_on = 2027-01-14", ""))
    assert Model.objects.get().shutdown_on is None


def test_successors_may_stand_in_any_order(sync: Sync) -> None:
    old = '[[model]]\nid = "old"\nowned_by = "openai"\nsuccessor = "small"\nvendor_id = ""\n'
    sync(OPENAI + old + SMALL)
    model = Model.objects.get(id="old")
    assert (model.successor_id, model.vendor_id) == ("small", "")
    assert not model.routes.exists()


def test_a_dry_run_tells_and_leaves_everything_as_it_was(sync: Sync) -> None:
    said = sync(OPENAI + SMALL, "--dry-run")
    assert "created model small" in said
    assert said.splitlines()[-1].startswith("Dry run: 2 created")
    assert not Model.objects.exists()
    assert not Provider.objects.exists()
    assert not Price.objects.exists()


# -- prices -----------------------------------------------------------------------------------


def test_the_same_numbers_written_otherwise_are_not_a_new_price(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    sync(OPENAI + SMALL.replace('"0.15"', '"0.150"').replace('"0.30"', '"0.3"'))
    assert Price.objects.count() == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [('"0.15"', '"0.20"', "input 0.15 -> 0.2"), ('"0.30"', '"0.40"', "tiers"), ("200", "300", "tiers")],
    ids=["a rate", "a tier's rate", "a tier's length"],
)
def test_other_numbers_are_a_new_version_and_the_old_one_stays(sync: Sync, old: str, new: str, said: str) -> None:
    sync(OPENAI + SMALL)
    first = Price.objects.get()
    assert f"new price ({said})" in sync(OPENAI + SMALL.replace(old, new))
    newest, kept = Price.objects.all()
    assert kept.pk == first.pk
    assert (kept.input, kept.tiers) == (first.input, first.tiers)
    assert first.effective_at < newest.effective_at <= timezone.now()


def test_a_price_that_is_to_come_is_left_to_come(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    make_price("small", input="9", effective_at=timezone.now() + timedelta(days=1))
    sync(OPENAI + SMALL)
    assert Price.objects.count() == 2


def test_prices_that_the_file_leaves_out_belong_to_the_admin(sync: Sync) -> None:
    bare = "\n".join(line for line in SMALL.splitlines() if not line.startswith("prices"))
    sync(OPENAI + bare)
    assert not Price.objects.exists()
    make_price("small", input="9")
    sync(OPENAI + bare)
    assert Price.objects.get().input == 9


FREE = SMALL[: SMALL.index("prices")] + "prices = { free = true }\n" + SMALL[SMALL.index("routes") :]


def test_free_alone_is_enough(sync: Sync) -> None:
    sync(OPENAI + FREE)
    price = Price.objects.get()
    assert (price.free, price.input, price.output, price.request, price.tiers) == (True, 0, 0, None, [])
    sync(OPENAI + FREE)
    assert Price.objects.count() == 1


def test_what_becomes_free_is_a_new_version(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    assert "new price (tiers)" in sync(OPENAI + FREE)
    assert [price.free for price in Price.objects.all()] == [True, False]


def test_all_rates_and_the_fee_become_columns(sync: Sync) -> None:
    rare = ("audio_input", "image_input", "reasoning", "audio_output", "image_output", "request")
    written = ", ".join(f'{rate} = "{number}"' for number, rate in enumerate(rare, start=1))
    sync(OPENAI + SMALL.replace('output = "0.60"', f'output = "0.60", {written}'))
    price = Price.objects.get()
    assert [getattr(price, rate) for rate in rare] == [1, 2, 3, 4, 5, 6]
    assert "new price (request 6 -> none)" in sync(
        OPENAI + SMALL.replace('output = "0.60"', f'output = "0.60", {written}').replace(', request = "6"', "")
    )


def test_a_model_that_costs_nothing_to_answer_is_not_free_when_its_prompt_costs(sync: Sync) -> None:
    sync(OPENAI + SMALL.replace('output = "0.60"', 'output = "0"'))
    assert not Price.objects.get().free


def test_what_customers_pay_is_not_the_files(sync: Sync) -> None:
    make_price("small", input="9", price_list=make_price_list())
    assert "created model small" in sync(OPENAI + SMALL)
    assert sync(OPENAI + SMALL).startswith("0 created, 0 changed")
    assert Price.objects.from_providers().count() == 1


# -- routes -----------------------------------------------------------------------------------


def test_routes_change_places_without_losing_their_switches(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    Route.objects.filter(upstream_model="small-1").update(enabled=False)
    swapped = SMALL.replace("small-2", "small-x").replace("small-1", "small-2").replace("small-x", "small-1")
    assert "route small-1: position" in sync(OPENAI + swapped)
    routes = Model.objects.get().routes.all()
    assert [(route.upstream_model, route.enabled) for route in routes] == [("small-1", False), ("small-2", True)]


def test_a_route_that_leaves_the_file_goes_and_a_new_one_comes(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    said = sync(OPENAI + SMALL.replace("small-2", "small-3"))
    assert "route small-2 removed; route small-3 by openai added" in said
    assert [route.upstream_model for route in Model.objects.get().routes.all()] == ["small-3", "small-1"]


def test_routes_that_the_file_leaves_out_belong_to_the_admin(sync: Sync) -> None:
    bare = SMALL[: SMALL.index("routes")]
    sync(OPENAI + bare)
    make_route(Model.objects.get(), Provider.objects.get(), "by-hand")
    sync(OPENAI + bare)
    assert Route.objects.get().upstream_model == "by-hand"


# -- what the admin owns ----------------------------------------------------------------------


def test_switches_and_credentials_are_the_admins(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    Provider.objects.update(enabled=False, credential="1:stored")
    Model.objects.update(enabled=False, vendor_gone_at=timezone.now())
    Route.objects.update(enabled=False)
    said = sync(OPENAI.replace("api.example", "api2.example") + SMALL)
    provider, model = Provider.objects.get(), Model.objects.get()
    assert (provider.enabled, provider.credential) == (False, "1:stored")
    assert provider.base_url == "https://api2.example/v1"
    assert not model.enabled
    assert model.vendor_gone_at is not None
    assert not Route.objects.filter(enabled=True).exists()
    assert "note: model small is switched off" in said


def test_a_switch_that_the_file_states_is_the_files(sync: Sync) -> None:
    on = OPENAI + "enabled = true\n" + SMALL.replace('id = "small"', 'id = "small"\nenabled = true')
    sync(on)
    Provider.objects.update(enabled=False)
    Model.objects.update(enabled=False)
    sync(on)
    assert Provider.objects.get().enabled
    assert Model.objects.get().enabled


def test_prune_switches_off_what_is_not_in_the_file_and_deletes_nothing(sync: Sync) -> None:
    make_route(make_model("other"), make_provider("elsewhere"))
    make_price("other")
    said = sync(OPENAI + SMALL, "--prune").splitlines()
    assert "retired provider elsewhere: not in the file" in said
    assert "retired model other: not in the file" in said
    assert said[-1] == "2 created, 0 changed, 0 unchanged, 2 retired."
    assert not Model.objects.get(id="other").enabled
    assert not Provider.objects.get(slug="elsewhere").enabled
    assert Route.objects.filter(model="other").exists()
    assert sync(OPENAI + SMALL, "--prune") == "0 created, 0 changed, 2 unchanged.\n"


def test_without_prune_what_is_not_in_the_file_stays(sync: Sync) -> None:
    make_model("other")
    sync(OPENAI + SMALL)
    assert Model.objects.get(id="other").enabled


def test_a_second_file_may_use_what_the_first_one_made_but_not_when_it_prunes(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    mine = SMALL.replace('id = "small"', 'id = "mine"\nsuccessor = "small"')
    assert "provider 'openai' is not there" in sync.complaint(mine, "--prune")
    sync(mine)
    assert Model.objects.get(id="mine").successor_id == "small"


# -- addresses and credentials from outside ---------------------------------------------------


def test_a_provider_waits_for_its_address(sync: Sync, environment: dict[str, str]) -> None:
    assert "LOCAL_MODEL_URL is not set" in sync(LOCAL)
    provider = Provider.objects.get()
    assert (provider.base_url, provider.enabled, provider.needs_credential) == ("", False, False)
    environment["LOCAL_MODEL_URL"] = "http://127.0.0.1:9/v1"
    sync(LOCAL)
    provider.refresh_from_db()
    assert (provider.base_url, provider.enabled) == ("http://127.0.0.1:9/v1", True)
    Provider.objects.update(enabled=False)
    sync(LOCAL)
    provider.refresh_from_db()
    assert not provider.enabled, "a person switched it off while it had an address"
    del environment["LOCAL_MODEL_URL"]
    sync(LOCAL)
    provider.refresh_from_db()
    assert (provider.base_url, provider.enabled) == ("", False)


def test_a_credential_may_be_in_a_file(sync: Sync) -> None:
    sync(OPENAI.replace('api_key_env = "OPENAI_API_KEY"', 'api_key_file = "/run/secrets/openai"'))
    assert Provider.objects.get().api_key_env == "file:/run/secrets/openai"


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("description =", "desciption =", '[[model]] "small": desciption is not a field of this table. Did you mean'),
        ('slug = "openai"', "", "models.toml, provider[0]: slug is missing."),
        ('kind = "openai"', 'kind = "opnai"', "kind is 'opnai'; the kinds are"),
        ('kind = "openai"', 'kind = "opnai"', "Did you mean openai?"),
        ('slug = "openai"', 'slug = "open ai"', "slug is open ai: "),
        ('id = "small"', 'id = "sm all"', "id is sm all: Use letters, digits"),
        ('owned_by = "openai"', "", '[[model]] "small": owned_by is missing.'),
        ("1000", '"1000"', "context_window must be a whole number, not '1000'."),
        ("1000", "-1", "context_window is -1: "),
        ("1000", "true", "context_window must be a whole number, not True."),
        ("2027-01-14", '"2027-01-14"', "shutdown_on must be a date such as 2026-10-23, without quotes"),
        ("vision =", "vison =", "capabilities.vison is unknown. Did you mean vision?"),
        ('input = "0.15"', "input = 0.15", 'prices: input must be a decimal in quotes, such as "0.15"'),
        ('input = "0.15"', 'input = "cheap"', "prices: input must be a decimal such as"),
        ('input = "0.15"', 'input = "NaN"', "prices: input must be a decimal such as"),
        ('input = "0.15"', 'input = "-1"', "prices: input is -1: "),
        ('input = "0.15"', 'input = "0.0000001"', "prices: input is 1E-7: Ensure that there are no more than 6"),
        ('input = "0.15", ', "", 'prices: input is missing; write "0"'),
        (PRICES, '{ input = "0", output = "0.00" }', "prices: free is missing: nothing costs anything here. Write"),
        (PRICES, '{ free = false, input = "0", output = "0" }', "prices: free is missing: nothing costs anything here"),
        (PRICES, '{ input = "0", output = "0", tiers = [{ above = 9, input = "0" }] }', "prices: free is missing"),
        (PRICES, '{ free = true, output = "1" }', "prices: output and free = true exclude each other: keep one."),
        (PRICES, '{ free = true, tiers = [{ above = 9, input = "1" }] }', "prices: tiers and free = true exclude"),
        (PRICES, '{ free = "yes" }', "prices: free must be true or false"),
        (PRICES, '{ input = "1", output = "1", request = "0.0000000001" }', "request is 1E-10: Ensure that there are"),
        (PRICES, '{ input = "1", output = "1", tiers = [{ above = 9, request = "1" }] }', "request is not a field of"),
        ("cached_input =", "cached_inputs =", "prices: cached_inputs is not a field of this table. Did you mean"),
        ("above = 200", "above = 0", "prices, tiers[0]: above must be a prompt length"),
        ('above = 200, input = "0.30"', "above = 200", "prices, tiers[0]: above changes no price"),
        ('input = "0.30" }', 'input = "0.30" }, { above = 200, input = "1" }', "prices: tiers must rise"),
        ('provider = "openai"', 'provider = "opennai"', "provider 'opennai' is not there. Did you mean openai"),
        ("small-1", "small-2", "routes[1]: model 'small-2' of 'openai' is a route already."),
        (SMALL, SMALL + SMALL, '[[model]] "small" is there 2 times.'),
        (OPENAI, OPENAI + OPENAI, '[[provider]] "openai" is there 2 times.'),
        ('id = "small"', 'id = "small"\nsuccessor = "smal"', "successor 'smal' is not a model. Did you mean small?"),
        ('id = "small"', 'id = "small"\nsuccessor = "small"', "form a circle: small -> small."),
        ("api_key_env", 'base_url_env = "X"\napi_key_env', "base_url_env and base_url exclude each other"),
        ("api_key_env", 'api_key_file = "/x"\napi_key_env', "api_key_file and api_key_env exclude each other"),
        ('id = "small"', "id = ", "models.toml is not TOML: "),
        ("[[model]]", "[[modle]]", "models.toml: modle is not a field of this table. Did you mean model?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_file_table_and_field(sync: Sync, old: str, new: str, complaint: str) -> None:
    text = OPENAI + SMALL
    assert old in text
    said = sync.complaint(text.replace(old, new))
    assert complaint in said
    assert said.startswith("models.toml")
    assert said.endswith("Nothing was changed.")
    assert not Provider.objects.exists()
    assert not Model.objects.exists()


def test_everything_that_is_wrong_is_told_at_once(sync: Sync) -> None:
    said = sync.complaint((OPENAI + SMALL).replace("1000", '"1000"').replace('"0.15"', '"x"'))
    assert "context_window" in said
    assert "input" in said
    assert said.endswith("2 problems. Nothing was changed.")


def test_a_circle_of_successors_is_refused_however_long_and_through_the_tables(sync: Sync) -> None:
    sync(OPENAI + SMALL)
    model = '[[model]]\nid = "{}"\nowned_by = "v"\nsuccessor = "{}"\n'
    said = sync.complaint(model.format("a", "b") + model.format("b", "c") + model.format("c", "a"))
    assert "form a circle: a -> b -> c -> a." in said
    Model.objects.filter(id="small").update(successor=make_model("later"))
    assert "form a circle: later -> small -> later." in sync.complaint(model.format("later", "small"))


def test_a_file_that_is_not_there_is_named(sync: Sync) -> None:
    with pytest.raises(CommandError, match=r"nowhere.toml cannot be read: "):
        call_command("sync_registry", "/nowhere.toml", stdout=StringIO())
