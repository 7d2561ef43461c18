"""The rows about files, sampling, reasoning and the other fields of a request."""

from __future__ import annotations

from tests.compatibility.asking import USER
from tests.compatibility.features import Feature, Section, adapted, yes
from tests.compatibility.looks import (
    ANSWERED,
    ASKED,
    CALL,
    PDF,
    PNG,
    SENT,
    block,
    config,
    delta,
    details,
    has,
    part,
    said,
)
from tests.compatibility.vendors import SIGNATURE, THOUGHT

FILES = Section(
    "Images, files and audio",
    (
        Feature(
            "Image as a data URL",
            said({"type": "image_url", "image_url": {"url": PNG}}),
            (yes(lambda body: block(body, "image")["source"]["type"] == "base64"),),
            (yes(lambda body: part(body, "inlineData")["mimeType"] == "image/png"),),
            word="vision",
        ),
        Feature(
            "Image by URL",
            said({"type": "image_url", "image_url": {"url": "https://images.example/a.png"}}),
            (yes(lambda body: block(body, "image")["source"]["type"] == "url"),),
            (yes(lambda body: part(body, "fileData")),),
            word="image_urls",
        ),
        Feature(
            "PDF",
            said({"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}),
            (yes(lambda body: block(body, "document")),),
            (yes(lambda body: part(body, "inlineData")["mimeType"] == "application/pdf"),),
            word="pdf",
        ),
        Feature(
            "File by its provider's id",
            said({"type": "file", "file": {"file_id": "file_abc123"}}),
            (yes(lambda body: block(body, "document")["source"]["type"] == "file"),),
        ),
        Feature(
            "Audio",
            said({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
            gemini=(yes(lambda body: part(body, "inlineData")["mimeType"] == "audio/wav"),),
            word="audio",
        ),
        Feature(
            "Spoken answers",
            {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
            word="audio_output",
        ),
    ),
)

SAMPLING_LOST = {"openai": 'Sent with `reasoning_effort` `"none"` to models that have it.'}
SAMPLING = Section(
    "Sampling",
    (
        Feature(
            "`temperature`",
            {"temperature": 0.5},
            (yes(has("temperature")),),
            (yes(config("temperature")),),
            word="sampling",
            lost=SAMPLING_LOST,
        ),
        Feature(
            "`top_p`", {"top_p": 0.5}, (yes(has("top_p")),), (yes(config("topP")),), word="sampling", lost=SAMPLING_LOST
        ),
        Feature(
            "`temperature` and `top_p`",
            {"temperature": 0.5, "top_p": 0.5},
            (
                yes(lambda body: {"temperature", "top_p"} <= set(body)),
                adapted("`top_p` is left out: the model takes one of the two.", has("temperature")),
            ),
            (yes(config("topP")),),
            word="sampling",
            lost=SAMPLING_LOST,
        ),
        Feature("`seed`", {"seed": 4}, gemini=(yes(config("seed")),)),
        Feature(
            "`presence_penalty`, `frequency_penalty`",
            {"presence_penalty": 0.5, "frequency_penalty": 0.5},
            gemini=(yes(config("presencePenalty")),),
        ),
        Feature("`logit_bias`", {"logit_bias": {"50256": -100}}),
    ),
)

ASKS_TO_THINK = {"reasoning_effort": "high"}
THINKS = (
    adapted("Sent as a budget of tokens.", lambda body: body.get("thinking", {}).get("type") == "enabled"),
    yes(lambda body: body.get("output_config", {}).get("effort") == "high"),
)
LEVEL = (yes(lambda body: body["generationConfig"]["thinkingConfig"].get("thinkingLevel") == "high"),)
SILENT = "OpenAI does not show it."
ALOUD = {"openai_compatible": "What servers call `reasoning` comes back as `reasoning_content`."}
SIGNED = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": f"call_1__thought__{SIGNATURE}"}]}
SIGNED_ANSWER = {"role": "tool", "tool_call_id": f"call_1__thought__{SIGNATURE}", "content": "3"}
THOUGHTS = [{"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}]
REASONING = Section(
    "Reasoning",
    (
        Feature("`reasoning_effort`", ASKS_TO_THINK, THINKS, LEVEL, word="reasoning"),
        Feature(
            "Reasoning in the answer",
            ASKS_TO_THINK,
            (yes(has("thinking"), "As `reasoning_content`."),),
            (yes(config("thinkingConfig"), "As `reasoning_content`."),),
            back=lambda seen: seen.message.get("reasoning_content") == THOUGHT,
            silent=SILENT,
            notes=ALOUD,
        ),
        Feature(
            "Reasoning in a stream",
            {**ASKS_TO_THINK, "stream": True},
            (yes(has("thinking"), "As `reasoning_content`."),),
            (yes(config("thinkingConfig"), "As `reasoning_content`."),),
            back=lambda seen: "".join(delta(seen, "reasoning_content")) == THOUGHT,
            silent=SILENT,
            notes=ALOUD,
        ),
        Feature(
            "`thinking_blocks` sent back",
            {"messages": [USER, {**ANSWERED[1], "thinking_blocks": THOUGHTS}, ANSWERED[2]]},
            (yes(lambda body: block(body, "thinking").get("signature") == SIGNATURE),),
        ),
        Feature(
            "A signed call sent back",
            {"messages": [USER, SIGNED, SIGNED_ANSWER]},
            (adapted("Gemini's signature in the `id` has no meaning here.", has("messages")),),
            (
                yes(
                    lambda body: part(body, "thoughtSignature") == SIGNATURE,
                    "The signature is in the `id` of the call, which must come back as it was.",
                ),
            ),
            (
                adapted(
                    "Gemini's signature is taken off the `id`.",
                    lambda body: body["messages"][1]["tool_calls"][0]["id"] == "call_1",
                ),
            ),
        ),
    ),
)

REST = Section(
    "Caching and other fields",
    (
        Feature(
            "`cache_control` on a part",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}],
                    }
                ]
            },
            (yes(lambda body: block(body, "text").get("cache_control")),),
        ),
        Feature("Cached tokens in usage", {}, (SENT,), (ASKED,), basic=True, back=lambda seen: details(seen)),
        Feature("`prompt_cache_key`", {"prompt_cache_key": "k"}),
        Feature(
            "`user`, `safety_identifier`",
            {"user": "ann@example.com"},
            (adapted("Sent as a keyed hash of its own for each organisation.", has("metadata")),),
        ),
        Feature("`metadata`, `store`", {"metadata": {"a": "b"}, "store": True}),
        Feature("`prediction`", {"prediction": {"type": "content", "content": "x"}}),
        Feature("`verbosity`", {"verbosity": "low"}),
        Feature("`service_tier` flex", {"service_tier": "flex"}),
        Feature("`service_tier` priority", {"service_tier": "priority"}),
        Feature("`web_search_options`", {"web_search_options": {}}),
        Feature("Fields that nobody knows yet", {"a_field_of_tomorrow": 1}),
    ),
)
