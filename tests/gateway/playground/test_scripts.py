"""The page's scripts: their own tests, which Node runs, and that "view code" says what is sent, in each language."""

from __future__ import annotations

import ast
import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.openapi.code_samples import frames

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "tests" / "node" / "playground"
SCRIPTS = sorted((ROOT / "static" / "js" / "playground").glob("*.js"))
MOST_LINES = 400
FORBIDDEN = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", ".style.")

BODY: dict[str, Any] = {
    "model": "a/b",
    "messages": [
        {"role": "system", "content": 'It\'s "quoted"\nand \\ long, $HOME too: ' + "word " * 20},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Grüße 🙂"}, {"type": "image_url", "image_url": {"url": "x"}}],
        },
        {"role": "assistant", "content": None, "tool_calls": []},
    ],
    "temperature": 0.5,
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"additionalProperties": False, "a-b": {}}}}
    ],
    "stop": ["'"],
}
STREAMED = {**BODY, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("NOT TESTED: node is not on the PATH, so the playground's scripts were left out.")
    return found


def codes(node: str, body: dict[str, Any]) -> dict[str, str]:
    given = json.dumps({"body": body, "frames": frames("https://gateway.example")})
    done = subprocess.run(
        [node, "code.mjs"], cwd=FOLDER, input=given, capture_output=True, text=True, check=True, timeout=60
    )
    return {one["slug"]: one["text"] for one in json.loads(done.stdout)}


def test_the_scripts_do_what_their_own_tests_say(node: str) -> None:
    tests = [path.name for path in sorted(FOLDER.glob("*.test.mjs"))]
    assert tests
    done = subprocess.run(
        [node, "--test", *tests], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["whole", "streamed"])
def test_curl_sends_the_very_body(node: str, body: dict[str, Any]) -> None:
    words = shlex.split(codes(node, body)["curl"].replace("\\\n", " "))
    assert json.loads(words[words.index("-d") + 1]) == body
    assert "Authorization: Bearer $OPENAI_API_KEY" in words
    assert "https://gateway.example/v1/chat/completions" in words
    assert ("-N" in words) is bool(body.get("stream"))


@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["whole", "streamed"])
def test_python_sends_the_very_body(node: str, body: dict[str, Any]) -> None:
    tree = ast.parse(codes(node, body)["python"])
    (call,) = [one for one in ast.walk(tree) if isinstance(one, ast.Call) and ast.unparse(one.func).endswith(".create")]
    sent = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    assert sent == body


@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["whole", "streamed"])
def test_node_sends_the_very_body(node: str, body: dict[str, Any]) -> None:
    text = codes(node, body)["node"]
    called = text.split("completions.create(", 1)[1].split("});", 1)[0] + "}"
    program = f"console.log(JSON.stringify({called}))"
    done = subprocess.run([node, "-e", program], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == body
    assert "process.env.OPENAI_API_KEY" in text


def test_no_script_makes_markup_out_of_text_or_keeps_the_key() -> None:
    """Elements are made one by one; the secret is in the memory of the page alone."""
    for script in SCRIPTS:
        text = script.read_text(encoding="utf-8")
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "localStorage",
            ".style.",
        ):
            assert forbidden not in text, f"{script.name} has {forbidden}"
        assert len(text.splitlines()) <= MOST_LINES
    kept = (ROOT / "static" / "js" / "playground" / "key.js").read_text(encoding="utf-8")
    assert "sessionStorage" not in kept


def test_the_page_has_every_script() -> None:
    page = (ROOT / "templates" / "gateway" / "playground.html").read_text(encoding="utf-8")
    assert {script.name for script in SCRIPTS} == {
        line.split("js/playground/")[1].split('"')[0] for line in page.splitlines() if "js/playground/" in line
    }
