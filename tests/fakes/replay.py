"""All vendors in one server, each on its own path. A request says in its prompt which answer it is to get, so that
many can be on their way at once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from tests.fakes.answers import Answer
from tests.fakes.server import FakeServer, Received

ASKED = re.compile(rb"\[\[answer (\d+)\]\]")
NOT_ASKED = Answer(status=404, body=b'{"error": {"message": "No such path, or the prompt names no answer."}}')
WRONG_KEY = Answer(status=401, body=b'{"error": {"message": "Not the credential of the tests."}}')

# Where an operator would say that the vendor is, and what is called there, with the credential in which header.
BASES: Mapping[str, str] = {
    "openai-chat": "/openai/v1",
    "openai-compatible": "/compatible/v1",
    "anthropic": "/anthropic",
    "gemini": "/gemini/v1beta",
    "openai-embeddings": "/openai/v1",
}
PATHS: Mapping[str, str] = {
    r"/(openai|compatible)/v1/(chat/completions|embeddings)": "authorization",
    r"/anthropic/v1/messages": "x-api-key",
    r"/gemini/v1beta/models/[^/]+:(generateContent|streamGenerateContent\?alt=sse)": "x-goog-api-key",
}


class Replay(FakeServer):
    credential = "replay-credential-for-tests"

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[int, Answer] = {}
        self._numbers = itertools.count(1)

    def base_url(self, dialect: str) -> str:
        return f"{self.origin}{BASES[dialect]}"

    def prompt_for(self, answer: Answer) -> str:
        """What to say to a model behind this server to be given `answer`."""
        number = next(self._numbers)
        self._answers[number] = answer
        return f"[[answer {number}]]"

    def received(self, prompt: str) -> list[Received]:
        """The requests that came with `prompt`."""
        return [received for received in self.requests if prompt.encode() in received.body]

    def forget(self) -> None:
        self.requests.clear()
        self._answers.clear()

    def answer_for(self, received: Received) -> Answer:
        header = next((header for path, header in PATHS.items() if re.fullmatch(path, received.path)), None)
        asked = ASKED.search(received.body)
        if received.method != "POST" or header is None or asked is None:
            return NOT_ASKED
        if received.headers.get(header, "").removeprefix("Bearer ") != self.credential:
            return WRONG_KEY
        return self._answers[int(asked[1])]
