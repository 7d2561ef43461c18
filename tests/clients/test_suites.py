"""Other people's clients and suites against the gateway. What is expected of each, and why not more, is in
`expected.toml`; docs/clients.md tells it to callers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.clients import environments
from tests.clients.conftest import EMBEDDING_MODELS, MODELS, Access
from tests.clients.outcomes import FAILED, PASSED, SKIPPED, Case, Expected, differences

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.sdk]

SUITES = environments.HERE / "suites"
RUN_SECONDS = 600  # against hanging, not a measure
QUIET = {  # clients that would call home, or fetch a list of models, are told not to
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LANGSMITH_TRACING": "false",
    "DO_NOT_TRACK": "1",
}
FROM_COMPLY = {"passed": PASSED, "failed": FAILED, "skipped": SKIPPED}


def run(
    command: Sequence[str | Path], access: Access, model: str, tmp_path: Path, *, cwd: Path = SUITES, **more: str
) -> str:
    """What the program printed. It sees nothing of our own environment, least of all other people's keys."""
    told = {"GATEWAY_URL": access.base_url, "GATEWAY_KEY": access.key, "GATEWAY_MODEL": model, **QUIET, **more}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", **told}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=RUN_SECONDS
    )
    assert done.returncode in {0, 1}, (
        f"{command[0]} did not come to an end:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    )
    return done.stdout


def hold(suite: str, model: str, cases: Sequence[Case]) -> None:
    wrong = differences(cases, Expected.of(suite, model))
    assert not wrong, "\n".join([f"{suite} with {model}:", *wrong])


def run_in_python(client: str, suite: str, access: Access, model: str, tmp_path: Path) -> list[Case]:
    python, outcomes = environments.python_of(client), tmp_path / "outcomes"
    file = SUITES / f"{suite.replace('-', '_')}_suite.py"
    printed = run([python, "-m", "pytest", file], access, model, tmp_path, OUTCOMES=str(outcomes))
    assert outcomes.exists(), printed[-3000:]
    return Case.read(outcomes.read_text(encoding="utf-8"))


def run_in_node(suite: str, access: Access, model: str, tmp_path: Path) -> list[Case]:
    node, file = environments.node_with_packages(), environments.NODE / f"{suite.replace('-', '_')}.mjs"
    reporter = (environments.NODE / "outcomes.mjs").as_uri()
    return Case.read(run([node, "--test", f"--test-reporter={reporter}", file], access, model, tmp_path))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("client", ["langchain", "pydantic-ai", "instructor", "litellm"])
def test_a_python_client_gets_what_it_expects(client: str, model: str, access: Access, tmp_path: Path) -> None:
    hold(client, model, run_in_python(client, client, access, model, tmp_path))


@pytest.mark.parametrize("model", EMBEDDING_MODELS)
@pytest.mark.parametrize("client", ["langchain", "litellm"])
def test_a_python_client_gets_embeddings(client: str, model: str, access: Access, tmp_path: Path) -> None:
    suite = f"{client}-embeddings"
    hold(suite, model, run_in_python(client, suite, access, model, tmp_path))


@pytest.mark.parametrize("model", MODELS)
def test_the_vercel_ai_sdk_gets_what_it_expects(model: str, access: Access, tmp_path: Path) -> None:
    hold("ai-sdk", model, run_in_node("ai-sdk", access, model, tmp_path))


@pytest.mark.parametrize("model", EMBEDDING_MODELS)
def test_the_vercel_ai_sdk_gets_embeddings(model: str, access: Access, tmp_path: Path) -> None:
    hold("ai-sdk-embeddings", model, run_in_node("ai-sdk-embeddings", access, model, tmp_path))


@pytest.mark.parametrize("model", [*MODELS, "sandbox/echo"])
def test_llm_comply_finds_chat_completions_as_openai_describes_them(model: str, access: Access, tmp_path: Path) -> None:
    program = environments.python_of("llm-comply").with_name("llm-comply")
    asked = ["--json", "--format", "openai-chat", "-u", access.base_url, "-k", access.key, "-m", model]
    results = json.loads(run([program, *asked], access, model, tmp_path))["results"]
    hold("llm-comply", model, [_complied(result) for result in results])


def _complied(result: Mapping[str, object]) -> Case:
    return Case(str(result["id"]), FROM_COMPLY[str(result["status"])], str(result.get("errors") or ""))
