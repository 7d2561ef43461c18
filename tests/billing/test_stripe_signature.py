"""Only what Stripe signed a moment ago is believed."""

from __future__ import annotations

import time

import pytest

from billing.stripe import signature
from billing.stripe.signature import SignatureError
from tests.fakes.stripe import SIGNING, signed

BODY = b'{"id": "evt_1"}'
NOW = 1_790_000_000


def verify(header: str, body: bytes = BODY, *secrets: str) -> None:
    signature.verify(header, body, secrets or (SIGNING,), now=NOW)


def test_the_scheme_is_an_hmac_over_time_dot_body() -> None:
    """Reckoned with OpenSSL: printf '1790000000.{"id": "evt_1"}' | openssl dgst -sha256 -hmac whsec_fake."""
    verify("t=1790000000,v1=c738825d24c9148e74d07aeb3d9eea5ecdeb6f6d48eacd3a657ee12b76c5c744")


@pytest.mark.parametrize("seconds", [0, 299, 300, -300])
def test_a_signature_of_the_last_minutes_is_right(seconds: int) -> None:
    verify(signed(BODY, at=NOW - seconds))


@pytest.mark.parametrize("seconds", [301, 86_400, -301])
def test_an_old_signature_is_refused_and_so_is_one_of_tomorrow(seconds: int) -> None:
    with pytest.raises(SignatureError, match="more than 300 seconds ago"):
        verify(signed(BODY, at=NOW - seconds))


def test_one_of_several_signatures_is_enough_and_so_is_one_of_several_secrets() -> None:
    verify(signed(BODY, "whsec_old", SIGNING, at=NOW))
    verify(signed(BODY, "whsec_new", at=NOW), BODY, SIGNING, "whsec_new")


@pytest.mark.parametrize(
    "header",
    [
        "", "t=1790000000", "v1=00", "t=,v1=00", "t=1790000000,v0=00", "t=x,v1=00", "t=1790000000,v1=", "nonsense",
        "t=1790000000,v1=ü", "t=-1790000000,v1=00", f"t=1790000000,v1={'0' * 64}",
    ],
)  # fmt: skip
def test_whatever_else_stands_in_the_header_is_refused(header: str) -> None:
    with pytest.raises(SignatureError):
        verify(header)


def test_a_body_or_a_time_that_was_changed_is_refused() -> None:
    header = signed(BODY, at=NOW)
    with pytest.raises(SignatureError, match="No signature is right"):
        verify(header, BODY + b" ")
    with pytest.raises(SignatureError, match="No signature is right"):
        verify(header.replace(f"t={NOW}", f"t={NOW + 1}"))


def test_two_times_are_none() -> None:
    with pytest.raises(SignatureError):
        verify(f"t={NOW},{signed(BODY, at=NOW)}")


def test_a_signature_under_another_secret_or_an_empty_one_is_refused() -> None:
    for secret in ("whsec_other", ""):
        with pytest.raises(SignatureError):
            verify(signed(BODY, secret, at=NOW))


def test_the_clock_is_ours_when_none_is_given() -> None:
    signature.verify(signed(BODY, at=time.time()), BODY, [SIGNING])
    with pytest.raises(SignatureError):
        signature.verify(signed(BODY, at=time.time() - 400), BODY, [SIGNING])
