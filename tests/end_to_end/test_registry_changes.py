"""What staff change in the registry, as the first caller afterwards finds it."""

from __future__ import annotations

import time

from tests.end_to_end.conftest import WORKERS, Caller, MakeCaller
from tests.factories import make_model

QUIET_SECONDS = 1.0  # several times what the gateway of these tests waits before it reads the registry again


def test_a_new_model_is_there_for_the_first_caller_after_a_quiet_time(make_caller: MakeCaller) -> None:
    caller = make_caller()
    for _ in range(WORKERS * 8):  # until every worker has read the registry
        assert "staff/new" not in _models(caller)
    model = make_model("staff/new")
    try:
        time.sleep(QUIET_SECONDS)
        assert "staff/new" in _models(caller)
    finally:
        model.delete()


def _models(caller: Caller) -> set[str]:
    return {model["id"] for model in caller.scattered.get("/models").json()["data"]}
