"""What a key may be used for and from where."""

from __future__ import annotations

import pytest

from accounts.key_rules import address_ranges, allows_address, allows_model, model_rules


@pytest.mark.parametrize(
    ("rules", "allowed", "refused"),
    [
        ([], ["anything", ""], []),
        (["small"], ["small"], ["small-2", "smal", "Small"]),
        (["claude-*"], ["claude-", "claude-5"], ["claude", "a-claude-5"]),
        (["*"], ["anything"], []),
        (["a*", "b"], ["a", "ab", "b"], ["ba", "c"]),
    ],
)
def test_models_are_allowed_by_name_or_by_how_their_name_begins(
    rules: list[str], allowed: list[str], refused: list[str]
) -> None:
    assert all(allows_model(rules, model) for model in allowed)
    assert not any(allows_model(rules, model) for model in refused)


@pytest.mark.parametrize(
    ("ranges", "allowed", "refused"),
    [
        ([], ["203.0.113.9", "2001:db8::1", "unix"], []),
        (["203.0.113.0/24"], ["203.0.113.0", "203.0.113.255"], ["203.0.114.0", "::ffff", "unix", ""]),
        (["2001:db8::/32"], ["2001:db8:ffff::1"], ["2001:db9::1", "203.0.113.9"]),
        (["10.0.0.1/32", "192.168.0.0/16"], ["10.0.0.1", "192.168.9.9"], ["10.0.0.2"]),
        (["0.0.0.0/0"], ["1.2.3.4"], ["::1"]),
    ],
)
def test_addresses_are_allowed_by_range(ranges: list[str], allowed: list[str], refused: list[str]) -> None:
    assert all(allows_address(ranges, address) for address in allowed)
    assert not any(allows_address(ranges, address) for address in refused)


def test_models_are_written_as_people_write_lists() -> None:
    assert model_rules(" small, claude-*\n\nsmall \n sandbox/echo,") == ["small", "claude-*", "sandbox/echo"]
    assert model_rules("  \n") == []


@pytest.mark.parametrize("text", ["a*b", "**", "two words", "x" * 121])
def test_what_is_no_model_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no model: write its id"):
        model_rules(f"small, {text}")


def test_ranges_are_kept_as_the_networks_that_they_are() -> None:
    written = "203.0.113.7\n203.0.113.9/24, 2001:DB8::1\n::ffff:10.0.0.1, 203.0.113.0/24"
    assert address_ranges(written) == ["203.0.113.7/32", "203.0.113.0/24", "2001:db8::1/128", "10.0.0.1/32"]


@pytest.mark.parametrize("text", ["203.0.113", "203.0.113.0/33", "example.com", "1.2.3.4-1.2.3.9"])
def test_what_is_no_range_is_named_with_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match=f"“{text}” is no address or range. Write one as"):
        address_ranges(text)


def test_lists_have_an_end() -> None:
    with pytest.raises(ValueError, match="101 models, and 100 can be listed"):
        model_rules(",".join(f"m{n}" for n in range(101)))
    with pytest.raises(ValueError, match="101 ranges, and 100 can be listed"):
        address_ranges(",".join(f"10.0.0.{n}" for n in range(101)))
