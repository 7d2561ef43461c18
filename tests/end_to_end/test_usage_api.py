"""Usage and costs through the official client, of a gateway that runs."""

from __future__ import annotations

import time
from datetime import date

import openai
import pytest

from accounts.models import Scope
from billing import rollups
from tests import live
from tests.billing.events import settle
from tests.end_to_end.conftest import MakeCaller
from tests.factories import make_key

pytestmark = pytest.mark.sdk


def test_the_official_client_reads_usage_and_costs(gateway: live.Gateway, make_caller: MakeCaller) -> None:
    caller = make_caller()
    settle(caller.key, charged=1_500, input_tokens=7, output_tokens=11)
    rollups.rebuild(caller.organization, date.min, date.max)
    reader, secret = make_key(caller.organization, scopes=[Scope.USAGE])
    with openai.OpenAI(base_url=caller.base_url, api_key="none", admin_api_key=secret, max_retries=0) as client:
        usage = client.admin.organization.usage
        start = int(time.time()) - 3600
        pages = [
            usage.completions(start_time=start, bucket_width="1h", group_by=["model", "api_key_id"]),
            usage.completions(start_time=start, api_key_ids=[str(reader.pk)]),
        ]
        costs = usage.costs(start_time=start, group_by=["line_item"])
    (result,) = [result for bucket in pages[0].data for result in bucket.results]
    assert result.object == "organization.usage.completions.result"
    assert (result.model, result.api_key_id, result.num_model_requests) == ("gpt-6-luna", str(caller.key.pk), 1)
    assert (result.input_tokens, result.output_tokens) == (7, 11)
    assert not [result for bucket in pages[1].data for result in bucket.results]
    (cost,) = [result for bucket in costs.data for result in bucket.results]
    assert cost.object == "organization.costs.result"
    assert cost.line_item == "gpt-6-luna"
    assert cost.amount is not None
    assert (cost.amount.value, cost.amount.currency) == (0.0000015, "usd")


def test_a_key_for_chat_reads_no_usage(gateway: live.Gateway, make_caller: MakeCaller) -> None:
    answer = make_caller().http.get("/organization/costs", params={"start_time": 0})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "insufficient_scope"
    assert answer.headers["x-ratelimit-limit"] == "100000"
