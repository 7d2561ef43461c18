"""This gateway and LiteLLM's proxy behave alike, but for what `explained.toml` gives a reason for."""

from __future__ import annotations

import pytest

from tests.gateway.transcripts import ROOT
from tests.peers import comparing
from tests.peers.comparison import Comparison

pytestmark = [pytest.mark.peers, pytest.mark.slow]


def test_each_difference_from_litellm_is_explained_and_each_explanation_still_holds(comparison: Comparison) -> None:
    """One test, because the two gateways take their time to start."""
    explained = comparing.explanations(comparing.EXPLAINED)
    findings = comparing.judge(comparison.run(), explained, with_recordings=ROOT.exists())
    assert not findings.unexplained, str(findings)
    assert not findings.outlived, str(findings)
