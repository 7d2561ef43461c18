"""The registry's words for what a model can be asked for. A word means the same whoever serves the model.

A model of which a word is not said is taken to be able: what nobody knows is left to its provider to refuse.
docs/registry.md explains each word to operators, docs/models.md those that callers are shown.
"""

from __future__ import annotations

from dataclasses import dataclass

WITHOUT_REASONING = "without_reasoning"  # only with reasoning_effort "none"


@dataclass(frozen=True, slots=True)
class Word:
    """What may stand for a word: true and false, one of `choices`, a list of text, or a number."""

    flag: bool = False
    choices: tuple[str, ...] = ()
    listed: bool = False
    number: bool = False
    shown: bool = True  # to callers; the rest is for the provider's module alone

    def complaint(self, value: object) -> str:
        """What is wrong with a value, as the end of a sentence; empty when nothing is."""
        if isinstance(value, bool):
            right = self.flag
        elif isinstance(value, int):
            right = self.number
        elif isinstance(value, list):
            right = self.listed and all(isinstance(entry, str) for entry in value)
        else:
            right = value in self.choices
        return "" if right else f"must be {self._wanted()}, not {value!r}."

    def _wanted(self) -> str:
        wanted = ["true or false"] if self.flag else []
        wanted += [f'"{choice}"' for choice in self.choices]
        wanted += ["a list of words"] if self.listed else []
        wanted += ["a whole number"] if self.number else []
        return " or ".join(wanted)


_YES_OR_NO = Word(flag=True)
_OR_WITHOUT_REASONING = Word(flag=True, choices=(WITHOUT_REASONING,))

WORDS: dict[str, Word] = {
    # The endpoints that it is for.
    "chat": _YES_OR_NO,
    "completions": _YES_OR_NO,
    "embeddings": _YES_OR_NO,
    # What it reads and what it makes.
    "vision": _YES_OR_NO,
    "image_urls": _YES_OR_NO,
    "pdf": _YES_OR_NO,
    "file_ids": _YES_OR_NO,
    "audio": _YES_OR_NO,
    "audio_output": _YES_OR_NO,
    # Tools.
    "tools": _OR_WITHOUT_REASONING,
    "forced_tool_choice": _YES_OR_NO,
    "custom_tools": _YES_OR_NO,
    # The form of its answer.
    "json_object": _YES_OR_NO,
    "json_schema": _YES_OR_NO,
    "tools_with_json": _YES_OR_NO,
    "n": _YES_OR_NO,
    "logprobs": _OR_WITHOUT_REASONING,
    "stop": _YES_OR_NO,
    # How it is led.
    "sampling": Word(choices=("both", "one", "none", WITHOUT_REASONING)),
    "reasoning": _YES_OR_NO,
    "efforts": Word(listed=True),
    "prefill": _YES_OR_NO,
    # Words of one vendor's module.
    "thinking": Word(choices=("adaptive", "manual", "level", "budget", "none"), shown=False),
    "min_budget": Word(number=True, shown=False),
    "max_budget": Word(number=True, shown=False),
    "mid_conversation_system": Word(flag=True, shown=False),
}
