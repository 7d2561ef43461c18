"""docs/clients.md tells what `expected.toml` and the requirements say, and its programs run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.samples import PLACEHOLDER
from tests.clients import environments
from tests.clients.conftest import EMBEDDING_MODELS, MODELS, Access
from tests.clients.outcomes import Expected, expectations
from tests.clients.test_suites import run
from tests.live import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
DOCUMENTED = "http://127.0.0.1:8000/v1"
ROWS = {  # by the package that names the row
    "langchain-tests": "langchain",
    "ai": "ai-sdk",
    "pydantic-ai-slim": "pydantic-ai",
    "instructor": "instructor",
    "litellm": "litellm",
    "llm-comply": "llm-comply",
}
EMBEDDINGS = {"langchain-embeddings", "ai-sdk-embeddings", "litellm-embeddings"}
SAID = {"Instructor": "city='sandbox' days=1", "LangChain embeddings": "2"}
PYTHONS = {"LangChain": "langchain", "Pydantic AI": "pydantic-ai", "Instructor": "instructor", "LiteLLM": "litellm"}


def table(first: str) -> list[list[str]]:
    """The cells of each row of the table whose first column is headed so."""
    lines = PAGE.partition(f"| {first} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def rows() -> dict[str, list[str]]:
    """By the package whose version a row gives first."""
    return {row[1].split()[0]: row for row in table("Client")}


def held(suite: str, models: Sequence[str]) -> list[str]:
    expected = [Expected.of(suite, model) for model in models]
    return [f"{one.passed} of {one.passed + len(one.failed) + len(one.skipped)}" for one in expected]


def pinned() -> dict[str, str]:
    """Every version that a client is installed in."""
    found: dict[str, str] = json.loads((environments.NODE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for path in environments.REQUIREMENTS.glob("*.txt"):
        if not path.name.endswith(".constraints.txt"):
            found |= dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    return found


def programs() -> list[object]:
    """Each block of code, with the heading that it stands under."""
    found: list[object] = []
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```(python|js)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        heading = section.partition("\n")[0]
        found += [pytest.param(heading, *block, id=f"{heading} {at}") for at, block in enumerate(blocks)]
    return found


def test_the_versions_are_those_that_are_run() -> None:
    told = dict(re.findall(r"([a-z][\w-]+|ai) (\d+\.\d+\.\d+)", " ".join(row[1] for row in rows().values())))
    assert set(told) == {*ROWS, "langchain-openai"}
    assert told == {name: pinned()[name] for name in told}


@pytest.mark.parametrize("package", ROWS)
def test_the_numbers_are_those_that_are_held(package: str) -> None:
    assert rows()[package][2:] == held(ROWS[package], MODELS)


def test_the_numbers_of_embeddings_are_those_that_are_held() -> None:
    told = {f"{row[0].partition(':')[0]}-embeddings": row[1:] for row in table("Embeddings")}
    assert set(told) == EMBEDDINGS
    assert told == {suite: held(suite, EMBEDDING_MODELS) for suite in EMBEDDINGS}


def test_every_suite_is_told_of() -> None:
    assert set(expectations()) == {*ROWS.values(), *EMBEDDINGS}


def test_every_requirement_is_exact_and_every_constraint_too() -> None:
    for path in environments.REQUIREMENTS.glob("*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+( ; .+)?", line), f"{path.name}: {line}"


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize(("heading", "language", "program"), programs())
def test_a_documented_program_runs(heading: str, language: str, program: str, access: Access, tmp_path: Path) -> None:
    assert PLACEHOLDER in program
    assert DOCUMENTED in program
    program = program.replace(DOCUMENTED, access.base_url).replace(PLACEHOLDER, access.key)
    if language == "js":
        command: list[str | Path] = [environments.node_with_packages(), "--input-type=module", "--eval", program]
    else:
        name = PYTHONS.get(heading)
        command = [environments.python_of(name) if name else Path(sys.executable), "-c", program]
    said = run(command, access, "", tmp_path, cwd=environments.NODE)
    what = f"{heading} embeddings" if "embed" in program else heading
    assert said.strip() == SAID.get(what, "You said: Hello!")
