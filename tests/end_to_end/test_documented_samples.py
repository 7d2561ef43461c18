"""What the front page, README and docs/ tell people to paste does what they say, against the real gateway."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from gateway.samples import PLACEHOLDER, samples
from tests.end_to_end.conftest import Caller

pytestmark = pytest.mark.sdk

ROOT = Path(settings.BASE_DIR)
DOCUMENTED = "http://127.0.0.1:8000/v1"
PAGES = ("README.md", "docs/quickstart.md", "docs/streaming.md", "docs/sandbox.md")


def _blocks(language: str) -> list[object]:
    """Every block of that language that the pages show, named by its page."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    found = [(page, fence.findall((ROOT / page).read_text(encoding="utf-8"))) for page in PAGES]
    return [pytest.param(block, id=f"{page}-{at}") for page, blocks in found for at, block in enumerate(blocks)]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _addressed(sample: str, caller: Caller) -> str:
    """The sample with the reader's own key and address."""
    assert PLACEHOLDER in sample
    assert DOCUMENTED in sample
    return sample.replace(DOCUMENTED, caller.base_url).replace(PLACEHOLDER, caller.secret)


@pytest.mark.parametrize("block", _blocks("python"))
def test_a_documented_program_runs(block: str, caller: Caller) -> None:
    said = _run(sys.executable, "-c", _addressed(block, caller))
    assert said.startswith("rate_limit_exceeded 2\n" if "rate-limit" in block else "You said: Hello!\n")


@pytest.mark.parametrize("block", [param for param in _blocks("sh") if "curl" in str(param)])
def test_a_documented_command_answers(block: str, caller: Caller) -> None:
    answer = json.loads(_run("sh", "-ec", _addressed(block, caller).replace("curl ", "curl -sf ")))
    assert answer["choices"][0]["message"]["content"] == "You said: Hello!"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_the_front_pages_python_runs(streamed: bool, caller: Caller) -> None:
    (sample,) = (sample for sample in samples(DOCUMENTED) if sample.slug == "python")
    program = sample.streamed if streamed else sample.whole
    assert _run(sys.executable, "-c", _addressed(program, caller)) == "You said: Hello!\n"


def test_the_front_pages_curl_answers(caller: Caller) -> None:
    (sample,) = (sample for sample in samples(DOCUMENTED) if sample.slug == "curl")
    command = _addressed(sample.whole, caller).replace("curl ", "curl -sf ", 1)
    assert json.loads(_run("sh", "-c", command))["choices"][0]["message"]["content"] == "You said: Hello!"


def test_the_front_pages_curl_streams(caller: Caller) -> None:
    (sample,) = (sample for sample in samples(DOCUMENTED) if sample.slug == "curl")
    command = _addressed(sample.streamed, caller)
    assert json.loads(shlex.split(command)[-1])["stream"] is True
    assert _run("sh", "-c", command.replace("curl ", "curl -sf ", 1)).endswith("data: [DONE]\n\n")
