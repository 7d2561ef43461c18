"""What is written to the log: one JSON object a line, and never a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from accounts import keys
from accounts.redaction import redact
from config.logs import JsonFormatter, Redact

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log() -> logging.Logger:
    return logging.getLogger("tests.logs")


@pytest.fixture
def lines(log: logging.Logger) -> Any:
    """What a logger wrote, parsed line by line."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(Redact())
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log.removeHandler(handler)


def test_a_line_is_one_json_object_with_its_time_level_and_logger(log: logging.Logger, lines: Lines) -> None:
    log.warning("%s of\n%s", "one", "two", extra={"request_id": "abc", "ms": 12})
    (line,) = lines()
    assert (line["level"], line["logger"], line["message"]) == ("warning", "tests.logs", "one of\ntwo")
    assert (line["request_id"], line["ms"]) == ("abc", 12)
    assert line["time"].endswith("+00:00")


def test_what_cannot_be_json_is_written_as_text(log: logging.Logger, lines: Lines) -> None:
    log.info("odd", extra={"thing": {1, 2}.__class__})
    assert lines()[0]["thing"] == "<class 'set'>"


def test_a_key_is_taken_out_of_messages_arguments_extras_and_tracebacks(log: logging.Logger, lines: Lines) -> None:
    secret = keys.generate()
    log.info("given %s", secret)
    log.info(f"given {secret}")  # noqa: G004 - the message itself must be cleaned too
    log.info("given", extra={"header": f"Bearer {secret}"})
    try:
        raise ValueError(f"bad key {secret}")
    except ValueError:
        log.exception("failed")
    written = lines()
    assert secret not in json.dumps(written)
    assert "[redacted]" in written[0]["message"]
    assert "[redacted]" in written[1]["message"]
    assert "[redacted]" in written[2]["header"]
    assert "ValueError: bad key [redacted]" in written[3]["exception"]


@pytest.mark.parametrize(
    "text",
    [
        "sk-{}",
        "Authorization: Bearer {}",
        "authorization: bearer {}",
        "GET https://host/v1beta/models?key={}",
        "https://host/?a=b&key={}&c=d",
        "'Bearer {}'",
    ],
)
def test_other_vendors_credentials_are_taken_out_too(text: str) -> None:
    hidden = "not-a-real-secret-1234"
    assert hidden not in redact(text.format(hidden))


@pytest.mark.parametrize("text", ["the task-force met", "the bearer", "monkey=banana", "max_tokens 60"])
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text
