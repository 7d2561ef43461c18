"""From an Authorization header to a principal, or to the error that says what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from accounts import keys
from accounts.directory import Directory, Principal
from gateway import errors
from gateway.strangers import Strangers

MISSING = (
    "You did not provide an API key. Send it in the header Authorization: Bearer sk-2389-..., "
    "or as api_key in an OpenAI client library."
)
WRONG = "Invalid API key. Check that it is copied whole, and that it was not revoked and has not expired."


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from, seen through the proxies that we trust."""

    address: str
    network: str


async def authenticate(header: str, directory: Directory, *, caller: Caller, strangers: Strangers) -> Principal:
    """Who is calling. Raises `ApiError`: 401, 403 from an address that the key does not allow, or 429 to those who
    have no right key too often.

    Text that is not a key costs no look-up; our own failures are 503, never 401.
    """
    network = caller.network
    secret = keys.bearer(header)
    if not secret:
        raise await strangers.turn_away(network, errors.unauthorized(MISSING))
    if not keys.well_formed(secret):
        raise await strangers.turn_away(network, errors.unauthorized(WRONG), guessed=True)
    digests = keys.digests(secret)
    seen = directory.has_seen(digests[0])
    if not directory.has_known(digests[0]):
        strangers.check_may_ask(network)
    try:
        principal = await directory.find(digests)
    except (psycopg.Error, OSError) as error:
        raise unchecked(f"the key directory did not answer: {type(error).__name__}") from error
    if principal is None or principal.revoked or principal.expired:
        raise await strangers.turn_away(network, errors.unauthorized(WRONG), guessed=True, new=not seen)
    if not principal.may_call_from(caller.address):  # whoever took the key does not use up its limits
        raise await strangers.turn_away(network, errors.address_not_allowed(caller.address))
    return principal


def check_standing(principal: Principal) -> None:
    """Raises `ApiError` (403) for a key that is right but whose organisation may not call."""
    if principal.suspended:
        raise suspended()


def suspended() -> errors.ApiError:
    return errors.ApiError(
        403,
        "This organisation is suspended. Ask its owner to get in touch with us.",
        type="permission_error",
        code="organization_suspended",
        headers={"x-should-retry": "false"},
    )


def unchecked(hint: str) -> errors.ApiError:
    """We do not know whose key it is: our fault, so never a 401."""
    return errors.unavailable(
        "Your key cannot be checked right now. Try again in a few seconds.",
        code="authentication_unavailable",
        hint=hint,
    )
