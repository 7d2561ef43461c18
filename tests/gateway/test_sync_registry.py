"""sync_registry: the tables come to say what the file says, nothing else is touched, and errors name their place."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from billing.models import Price
from gateway.models import Model, Provider, Route
from tests.factories import make_model, make_price, make_provider, make_route
from tests.gateway.registry_files import LOCAL, OPENAI, SMALL, Sync

SHIPPED = Path(__file__).parents[2] / "gateway" / "registry.toml"


@pytest.fixture(autouse=True)
def environment(settings: Settings) -> dict[str, str]:
    variables: dict[str, str] = {}
    settings.PROVIDER_SECRET = variables.get
    return variables


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


def test_what_the_file_does_not_list_is_kept_from_the_public_until_it_does(sync: Sync) -> None:
    hidden = [text.replace("\nid =", "\nlisted = false\nid =").replace("\nslug =", "\nlisted = false\nslug =")
              for text in (OPENAI, SMALL)]  # fmt: skip
    sync("".join(hidden))
    assert not Provider.objects.get().listed
    assert not Model.objects.get().listed
    sync(OPENAI + SMALL)
    assert Provider.objects.get().listed
    assert Model.objects.get().listed


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
        ("vision = true", 'vision = "yes"', "capabilities.vision must be true or false, not 'yes'."),
        ("vision = true", "n = 2", "capabilities.n must be true or false, not 2."),
        ("vision = true", 'tools = "often"', 'capabilities.tools must be true or false or "without_reasoning", not'),
        ("vision = true", "sampling = true", 'capabilities.sampling must be "both" or "one" or "none" or'),
        ("vision = true", 'efforts = "low"', "capabilities.efforts must be a list of words, not 'low'."),
        ("vision = true", "efforts = [1]", "capabilities.efforts must be a list of words, not [1]."),
        ("vision = true", "max_budget = true", "capabilities.max_budget must be a whole number, not True."),
        ('input = "0.15"', "input = 0.15", 'prices: input must be a decimal in quotes, such as "0.15"'),
        ('input = "0.15"', 'input = "cheap"', "prices: input must be a decimal such as"),
        ('input = "0.15"', 'input = "NaN"', "prices: input must be a decimal such as"),
        ('input = "0.15"', 'input = "-1"', "prices: input is -1: "),
        ('input = "0.15"', 'input = "0.0000001"', "prices: input is 1E-7: Ensure that there are no more than 6"),
        ('input = "0.15", ', "", 'prices: input is missing; write "0"'),
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
        ('drop = ["top_p"]', 'drops = ["top_p"]', "routes[0]: options.drops is unknown. Did you mean drop?"),
        ('drop = ["top_p"]', 'drop = "top_p"', "routes[0]: options.drop must be a list such as"),
        ('drop = ["top_p"]', "drop = [1]", "routes[0]: options.drop must be a list such as"),
        ('drop = ["top_p"]', "roles = { system = 1 }", "routes[0]: options.roles must be a table, not"),
        ("api_key_env", "options = { stream_options = 0 }\napi_key_env", "stream_options must be true or false"),
        (
            'kind = "openai"\nbase_url = "https://api.example/v1"', 'kind = "azure_openai"',
            "base_url is missing: a provider of kind azure_openai has no address that everybody shares.",
        ),
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


@pytest.mark.parametrize("option", ["anthropic_version", "web_search", "token_factor", "image_tokens", "brand_new"])
def test_an_option_that_only_its_kind_knows_is_kept(sync: Sync, option: str) -> None:
    sync((OPENAI + SMALL).replace("drop =", f"{option} ="))
    assert Route.objects.get(upstream_model="small-2").options == {option: ["top_p"]}


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
