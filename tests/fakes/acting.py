"""What a model says to one request, whatever the vendor's words for it: the fakes read and write, this decides."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.fakes.answers import Answer

Schema = Mapping[str, Any]

THOUGHT = "The user wants an answer, so I shall give one. "
FORMATS = {"date": "2026-01-05", "time": "12:30:00Z", "date-time": "2026-01-05T12:30:00Z", "email": "ada@example.com"}
QUOTED = re.compile(r"(?<!\w)'([^'\n]+)'")
CAPITALISED = re.compile(r"(?<=[\w,:] )[A-Z][a-z]+")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Finish(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    CALLS = "calls"


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A request, read. `choice` is auto, required, none or the name of the tool that must be called."""

    said: str = ""  # by the user, last
    instructed: str = ""  # by the system
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True
    called: frozenset[str] = frozenset()  # tools called since the user spoke
    results: tuple[str, ...] = ()  # what the conversation ends with, when those are results of tools
    schema: Schema | None = None  # that the answer must fit
    wants_json: bool = False  # some JSON object, whatever is in it
    thinks: bool = False
    limit: int | None = None  # in tokens, which are words here
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    text: str = ""
    calls: tuple[Call, ...] = ()
    thought: str = ""
    finish: Finish = Finish.STOP
    tokens: int = 0  # of all that was produced
    thought_tokens: int = 0  # of these


Actor = Callable[[Question, Answer], Turn]


def words(text: str) -> list[str]:
    """Pieces that join to `text` again."""
    return re.findall(r"\s*\S+\s*", text)


# -- the dull model ---------------------------------------------------------------------------------


def recite(question: Question, answer: Answer) -> Turn:
    """Calls every tool it is offered until a result is there, then says what the test wrote down."""
    calls = () if question.results else tuple(Call(tool.name, arguments(tool.schema)) for tool in question.tools)
    return Turn(
        text=answer.text, calls=calls, finish=Finish.CALLS if calls else Finish.STOP, tokens=len(words(answer.text))
    )


def arguments(schema: Schema) -> dict[str, Any]:
    """A value for each property: its name, or a number where a number is wanted. A schema that is none has none."""
    kinds: dict[str, Any] = {"integer": 7, "number": 1.5, "boolean": True, "array": [], "object": {}}
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    wanted = {name: one.get("type") if isinstance(one, dict) else None for name, one in properties.items()}
    return {name: kinds.get(str(kind), f"some {name}") for name, kind in wanted.items()}


# -- the obliging model -----------------------------------------------------------------------------


def oblige(question: Question, answer: Answer) -> Turn:
    """Does as it is asked, as a good model would: calls the tools that the user's words name, or those it must; fits
    its answer to the schema; takes numbers and quoted words from the user; stops where it is told to."""
    thought = THOUGHT if question.thinks else ""
    thought_tokens = len(words(thought))
    calls = _calls(question)
    if calls:
        spent = sum(1 + len(call.arguments) for call in calls)
        return Turn(
            calls=calls,
            thought=thought,
            finish=Finish.CALLS,
            tokens=spent + thought_tokens,
            thought_tokens=thought_tokens,
        )
    text = _text(question, answer)
    for stop in question.stops:
        text = text.partition(stop)[0]
    said, finish = words(text), Finish.STOP
    if question.limit is not None and len(said) > question.limit:
        said, finish = said[: question.limit], Finish.LENGTH
    return Turn("".join(said), (), thought, finish, len(said) + thought_tokens, thought_tokens)


def _calls(question: Question) -> tuple[Call, ...]:
    chosen = _chosen(question)
    heard = _heard(question)
    return tuple(Call(tool.name, _Writer(tool.schema, heard).object(tool.schema)) for tool in chosen)


def _chosen(question: Question) -> list[Tool]:
    tools = list(question.tools)
    if question.choice == "none" or not tools:
        return []
    if question.choice not in {"auto", "required"}:
        return [tool for tool in tools if tool.name == question.choice]
    fresh = [tool for tool in tools if tool.name not in question.called]
    meant = [tool for tool in fresh if _names(question.said, tool)]
    if not meant and question.choice == "required":
        meant = (fresh or tools[-1:])[:1]
    return meant if question.parallel else meant[:1]


def _names(said: str, tool: Tool) -> bool:
    """Whether the user speaks of what the tool is called after: of the weather, for getWeather and get_weather."""
    return any(len(word) > 3 and word.lower() in said.lower() for word in re.findall(r"[A-Z]?[a-z]+", tool.name))


def _heard(question: Question) -> str:
    """The newest words come first, because the first that fit are taken: an error of a tool overrules its question."""
    return "\n".join([*reversed(question.results), question.said])


def _text(question: Question, answer: Answer) -> str:
    heard = _heard(question)
    schema = question.schema or _schema_in(question.instructed)
    if schema is not None:
        written = _json(_Writer(schema, heard).value(schema, "answer"))
        return f"```json\n{written}\n```" if "```json" in question.instructed + question.said else written
    if question.wants_json:
        return _json({name: f"some {name}" for name in QUOTED.findall(question.said) or ["answer"]})
    if question.results:
        return f"The tools said: {' '.join(question.results)}"
    return answer.text


def _schema_in(instructed: str) -> Schema | None:
    """The schema that the caller wrote into its prompt."""
    for start in re.finditer(r"\{", instructed):
        try:
            found, _ = json.JSONDecoder().raw_decode(instructed, start.start())
        except json.JSONDecodeError:
            continue
        if "properties" in found:
            return found  # type: ignore[no-any-return]
    return None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes values that fit a schema, out of what was heard."""

    root: Schema
    heard: str

    def object(self, schema: Schema) -> dict[str, Any]:
        schema = self._resolved(schema)
        properties: Mapping[str, Schema] = schema.get("properties") or {}
        return {name: self.value(wanted, name) for name, wanted in properties.items()}

    def value(self, schema: Schema, name: str) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            heard = [option for option in schema["enum"] if str(option).lower() in self.heard.lower()]
            return (heard or schema["enum"])[0]
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else kind
        if kind == "object":
            return self.object(schema)
        if kind == "array":
            return [self.value(schema.get("items") or {}, name) for _ in range(schema.get("minItems") or 1)]
        simple: dict[str, Any] = {"boolean": True, "null": None}
        if kind in simple:
            return simple[kind]
        return self._string(schema, name) if kind == "string" else self._number(whole=kind == "integer")

    def _resolved(self, schema: Schema) -> Schema:
        while True:
            branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
            if "$ref" in schema:
                schema = self._referred(schema["$ref"])
            elif branches:
                schema = next((branch for branch in branches if branch.get("type") != "null"), branches[0])
            else:
                return schema

    def _referred(self, reference: str) -> Schema:
        found: Any = self.root
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return found  # type: ignore[no-any-return]

    def _number(self, *, whole: bool) -> float:
        found = NUMBER.search(self.heard)
        if found is None:
            return 7 if whole else 1.5
        return int(float(found[0])) if whole else float(found[0])

    def _string(self, schema: Schema, name: str) -> str:
        if schema.get("format") in FORMATS:
            return FORMATS[schema["format"]]
        quoted = QUOTED.search(self.heard)
        if quoted:
            return quoted[1]
        capitalised = CAPITALISED.search(self.heard)
        return capitalised[0] if capitalised else f"some {name}"
