"""A client that cannot be fetched is left out aloud; one that we ask for in a wrong way fails."""

from __future__ import annotations

import pytest

from tests.clients.environments import give_up


@pytest.mark.parametrize(
    "said",
    [
        "error: Failed to fetch: an index\n  cause: tcp connect error\n  cause: Connection refused (os error 111)",
        "error: Failed to fetch: an index\n  cause: error sending request\n  cause: dns error",
        "hint: Packages were unavailable because the network was disabled.",
        "connection broken by 'NewConnectionError(...)'\nERROR: Could not find a version",
        "npm error code ENOTFOUND\nnpm error errno ENOTFOUND",
        "npm error code ECONNREFUSED",
    ],
)
def test_without_a_network_it_is_said_that_nothing_was_tested(said: str) -> None:
    with pytest.raises(pytest.skip.Exception, match="NOT TESTED: a client could not be fetched"):
        give_up(said, what="a client")


@pytest.mark.parametrize(
    "said",
    [
        "Because there is no version of a-client==99 and you require it, your requirements are unsatisfiable.",
        "npm error code EUSAGE\nnpm error `npm ci` can only install packages when the lock file matches.",
        "error: Failed to build a-client",
    ],
)
def test_a_wrong_requirement_fails(said: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="a client could not be installed"):
        give_up(said, what="a client")
