"""The same requests to both gateways, with the same provider behind them, and what each made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from tests.fakes.answers import Answer
from tests.fakes.replay import Replay
from tests.gateway.transcripts import Case, everything, fixtures
from tests.peers import reading, requests
from tests.peers.bodies import PROMPT, Request, ask
from tests.peers.comparing import Difference, differences
from tests.peers.models import MODELS, RECORDED, Asked

AT_ONCE = 4
SECONDS = 60  # against hanging, not a measure
STREAM: Mapping[str, Any] = {"stream": True}
STREAM_AND_USAGE: Mapping[str, Any] = {**STREAM, "stream_options": {"include_usage": True}}
TAKEN: Mapping[str, Any] = {"status": 200}

Job = Callable[[httpx.Client], list[Difference]]


@dataclass(frozen=True, slots=True)
class Side:
    """A gateway, and a key for it."""

    base_url: str
    key: str

    def ask(self, client: httpx.Client, body: Mapping[str, Any]) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}"}
        return client.post(f"{self.base_url}/chat/completions", json=body, headers=headers)


@dataclass(frozen=True)
class Comparison:
    ours: Side
    theirs: Side
    provider: Replay

    def run(self) -> list[Difference]:
        """All differences, in the order of the cases."""
        jobs: list[Job] = [*self._of_answers(), *self._of_requests()]
        with ThreadPoolExecutor(AT_ONCE) as pool, httpx.Client(timeout=SECONDS, trust_env=False) as client:
            return [difference for found in pool.map(lambda job: job(client), jobs) for difference in found]

    def _of_answers(self) -> Iterator[Job]:
        for case in everything():
            yield partial(self._compare_answers, case, case.name, STREAM_AND_USAGE if case.stream else {})
        for case in (case for dialect in RECORDED for case in fixtures(dialect)):
            if case.stream:
                yield partial(self._compare_answers, case, f"{case.name}, usage not asked for", STREAM)
            elif case.status != 200:
                yield partial(self._compare_answers, case, f"{case.name}, asked for as a stream", STREAM)

    def _of_requests(self) -> Iterator[Job]:
        for request, model in requests.every():
            yield partial(self._compare_requests, request, MODELS[model])

    def _compare_answers(
        self, case: Case, name: str, fields: Mapping[str, Any], client: httpx.Client
    ) -> list[Difference]:
        asked = MODELS[RECORDED[case.dialect]]
        body = {**ask("", ()).body(asked.id), **fields}
        ours, theirs = (
            reading.answer(self._ask(client, side, body, Answer.recorded(case))[0], case.body, asked.id, asked.upstream)
            for side in (self.ours, self.theirs)
        )
        return list(differences(name, ours, theirs, "answer"))

    def _compare_requests(self, request: Request, asked: Asked, client: httpx.Client) -> list[Difference]:
        """What the provider was sent; or what the caller was told, when one side sent nothing."""
        (case,) = (case for case in fixtures(asked.dialect) if case.name.endswith("/text-whole"))
        sent, told = [], []
        for side in (self.ours, self.theirs):
            response, received = self._ask(client, side, request.body(asked.id), Answer.recorded(case))
            sent.append(received)
            refused = response.status_code != 200
            told.append(reading.answer(response, case.body, asked.id, asked.upstream) if refused else TAKEN)
        name = f"{asked.id}/{request.name}"
        if TAKEN in told and told[0] != told[1]:
            ours, theirs = (json.dumps(one.get("error", "taken")) for one in told)
            return [Difference(name, "taken", ours, theirs)]
        return [*differences(name, told[0], told[1], "refused"), *differences(name, sent[0], sent[1], "sent")]

    def _ask(
        self, client: httpx.Client, side: Side, body: Mapping[str, Any], answer: Answer
    ) -> tuple[httpx.Response, dict[str, Any]]:
        """Each side has a prompt of its own, so that what the provider was sent for it can be told apart."""
        prompt = self.provider.prompt_for(answer)
        response = side.ask(client, json.loads(json.dumps(body).replace(PROMPT, prompt)))
        return response, reading.sent(self.provider.received(prompt))
