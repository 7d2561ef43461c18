"""The requests on the reference page do what they say, in every language, against the real gateway."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from accounts.models import Scope
from gateway.openapi import examples
from gateway.openapi.reference import groups
from gateway.samples import PLACEHOLDER
from tests.end_to_end import node
from tests.end_to_end.conftest import Caller
from tests.factories import make_key

pytestmark = pytest.mark.sdk

DOCUMENTED = "http://127.0.0.1:8000"


@pytest.fixture
def origin(caller: Caller) -> str:
    return caller.base_url.removesuffix("/v1")


@pytest.fixture
def secret(caller: Caller) -> str:
    """Of a key that may do everything that the page shows."""
    return make_key(caller.organization, scopes=[Scope.CHAT, Scope.EMBEDDINGS, Scope.USAGE])[1]


@pytest.fixture
def receipt(caller: Caller) -> str:
    return caller.chat().headers["x-request-id"]


def samples(language: str, origin: str, secret: str, receipt: str) -> list[str]:
    """All of that language, with the reader's own address, key and request."""
    found = [
        sample.code.replace(DOCUMENTED, origin).replace(PLACEHOLDER, secret).replace(examples.REQUEST_ID, receipt)
        for group in groups(DOCUMENTED)
        for endpoint in group.endpoints
        for example in endpoint.examples
        for sample in example.samples
        if sample.slug == language
    ]
    assert len(found) >= 12
    return found


def run(command: list[str], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def told(said: str) -> None:
    """What the answers to the examples have in them."""
    for part in (
        "You said: Hello!",
        "get_weather",
        "sandbox/echo",
        "You said: Once upon a time",
        "1795132800",
        "Ed25519",
    ):
        assert part in said


def test_every_command_answers(tmp_path: Path, origin: str, secret: str, receipt: str) -> None:
    commands = samples("curl", origin, secret, receipt)
    said = run(["sh", "-ec", "\n".join(command.replace("curl ", "curl -sSf ", 1) for command in commands)], tmp_path)
    assert '"object":"chat.completion"' in said
    assert "data: [DONE]\n" in said
    for part in ('"embedding":[', f'"id":"{receipt}"', '"object":"page"', '"kty": "OKP"', '"openapi": "3.1.1"'):
        assert part in said


def test_every_program_in_python_runs(tmp_path: Path, origin: str, secret: str, receipt: str) -> None:
    """In one process, one after the other."""
    (tmp_path / "all.py").write_text("\n\n".join(samples("python", origin, secret, receipt)))
    told(run([sys.executable, "all.py"], tmp_path))


def test_every_program_in_node_runs(node_program: str, tmp_path: Path, origin: str, secret: str, receipt: str) -> None:
    (tmp_path / "node_modules").symlink_to(node.FOLDER / "node_modules")
    programs = samples("node", origin, secret, receipt)
    for number, program in enumerate(programs):
        (tmp_path / f"sample{number}.mjs").write_text(program)
    lines = [f'await import("./sample{number}.mjs");' for number in range(len(programs))]
    (tmp_path / "all.mjs").write_text("\n".join(lines))
    told(run([node_program, "all.mjs"], tmp_path))
