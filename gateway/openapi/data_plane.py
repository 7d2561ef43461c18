"""The endpoints of the data plane by the names of their routes. What is not routed is not in the document."""

from __future__ import annotations

from gateway.openapi import answers, completions, examples, headers
from gateway.openapi.operations import KEYED, REPEATABLE, Described, answer, parameter
from gateway.openapi.shapes import Schema, ref

CHAT_EVENT, COMPLETION_EVENT, GENERATION = "ChatCompletionEvent", "CompletionEvent", "Generation"

IDEMPOTENCY_KEY = parameter(
    "Idempotency-Key",
    "header",
    "Any 1 to 255 visible ASCII characters, for instance a UUID. For 24 hours the same key and body return the same "
    "answer, streams too, and are charged once.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
    required=False,
)
STREAMED = (
    "Whole by default; with `stream: true` as server-sent events, each with a `{chunk}` as its `data`. A stream that "
    "is complete ends with `data: [DONE]`. One that breaks off ends with an error as its `data` and without `[DONE]`: "
    "what came before it is all there is."
)
OTHER_FIELDS = (
    "Fields that are not listed here are passed on to providers that speak OpenAI's format; for other vendors they are "
    "translated, or refused by name where ignoring them would mislead."
)
OF_A_MODEL = (*headers.OF_AN_ANSWER, "x-2389-cost", *headers.OF_A_REPLAY)


def _stream(event: str, example: str) -> Schema:
    return {"schema": ref(event), "example": example}


COMPOSED: dict[str, Schema] = {
    CHAT_EVENT: completions.event_of(completions.ChatCompletionChunk),
    COMPLETION_EVENT: completions.event_of(completions.Completion),
    GENERATION: {
        "description": "The receipt of a request.",
        "oneOf": [ref(answers.EndedGeneration), ref(answers.OpenGeneration)],
        "discriminator": {
            "propertyName": "status",
            "mapping": {
                "ended": ref(answers.EndedGeneration)["$ref"],
                "in_progress": ref(answers.OpenGeneration)["$ref"],
            },
        },
    },
}
DATA_PLANE = {
    "list_models": Described(
        "Models",
        "Every model that your key may call, with where it stands in its life.",
        answer(answers.ModelList, "The models, by name.", example=examples.MODELS),
        KEYED,
    ),
    "retrieve_model": Described(
        "Models",
        "One of them. An id may contain `/`, which may be sent as it is or as `%2F`.",
        answer(answers.Model, "The model.", example=examples.MODEL),
        {**KEYED, 403: (*KEYED[403], "model_not_allowed"), 404: ("model_not_found",)},
        (parameter("model", "path", "The model's id.", {"type": "string", "minLength": 1}, required=True,
                   example="sandbox/echo"),),
    ),
    "create_chat_completion": Described(
        "Chat",
        f"A model's answer to a conversation, whole or as it is written. {OTHER_FIELDS}\n\nNeeds the scope `chat`.",
        answer(
            completions.ChatCompletion, STREAMED.format(chunk="ChatCompletionChunk"), *OF_A_MODEL,
            example=examples.CHAT_ANSWER, stream=_stream(CHAT_EVENT, examples.CHAT_STREAM),
        ),
        REPEATABLE,
        (IDEMPOTENCY_KEY,),
        examples.CHAT_REQUESTS,
    ),
    "create_completion": Described(
        "Completions",
        f"What a model writes after a text: the older kind of endpoint. {OTHER_FIELDS}\n\nNeeds the scope `chat`.",
        answer(
            completions.Completion, STREAMED.format(chunk="Completion"), *OF_A_MODEL,
            example=examples.COMPLETION_ANSWER, stream=_stream(COMPLETION_EVENT, examples.COMPLETION_STREAM),
        ),
        REPEATABLE,
        (IDEMPOTENCY_KEY,),
        examples.COMPLETION_REQUESTS,
    ),
    "create_embeddings": Described(
        "Embeddings",
        "Texts as vectors: texts of similar meaning have vectors that lie close together.\n\n"
        "Needs the scope `embeddings`.",
        answer(completions.EmbeddingList, "The vectors.", *OF_A_MODEL, example=examples.EMBEDDINGS_ANSWER),
        REPEATABLE,
        (IDEMPOTENCY_KEY,),
        examples.EMBEDDINGS_REQUESTS,
    ),
    "retrieve_generation": Described(
        "Generations",
        "The receipt of a request: its tokens, its cost, how it ended and by which rule it was charged. A key sees its "
        "own requests; with the scope `usage` it sees those of its whole organisation.",
        answer(GENERATION, "The receipt.", example=examples.RECEIPT),
        {**KEYED, 404: ("generation_not_found",)},
        (parameter("request_id", "path", "The `x-request-id` of its answer.", {"type": "string", "format": "uuid"},
                   required=True, example=examples.REQUEST_ID),),
    ),
}  # fmt: skip
