"""What the fields of requests mean. Their types and bounds come from the models that check them."""

from __future__ import annotations

from collections.abc import Mapping

_SAMPLING = {
    "temperature": "Higher is more varied. Models that think may refuse it.",
    "top_p": "Consider only the likeliest tokens that together have this probability.",
    "stop": "Where to stop: one text, or up to four. It is not part of the answer.",
    "presence_penalty": "Above 0, what was said at all is less likely to be said again.",
    "frequency_penalty": "Above 0, what was said often is less likely to be said again.",
    "seed": "The same seed gives much the same answer, where the provider can do that.",
    "user": "A stable name for the person who asks. Vendors get it in a form that does not tell who that is.",
}
_STREAM = {
    "stream": "Send the answer as server-sent events, as it is written.",
    "stream_options": "Only with `stream`.",
}
MODEL = "The id of a model, from `GET /v1/models`. A retired one is answered by its successor."

SCHEMAS: Mapping[str, str] = {
    "Rule": "The rule by which a request was charged. The page on billing has them all.",
    "Lifecycle": "Where a model stands in its life.",
    "Message": "One turn of the conversation.",
    "ContentPart": (
        "A part of a message: `text`, `image_url`, `input_audio` or `file`, each with its fields in OpenAI's reference."
    ),
    "ToolCall": "A call that the model wanted made, as it was in its answer.",
    "FunctionCall": "The function that was to be called.",
    "Tool": "Something that the model may call.",
    "FunctionDefinition": "A function, for the model to choose.",
    "StreamOptions": "What else a stream tells.",
}

FIELDS: Mapping[str, Mapping[str, str]] = {
    "ChatCompletionRequest": {
        **_SAMPLING,
        **_STREAM,
        "model": MODEL,
        "messages": "The conversation so far, oldest first.",
        "max_tokens": "The most tokens that the answer may have. The older name of `max_completion_tokens`.",
        "max_completion_tokens": "The most tokens that the answer may have, thinking included. It bounds what is held.",
        "n": "How many answers. Each is charged.",
        "logprobs": "Tell how likely each token was.",
        "top_logprobs": "And how many of the likeliest others to tell. Needs `logprobs`.",
        "tools": "What the model may call.",
        "tool_choice": '`auto`, `none`, `required`, or one tool: `{"type": "function", "function": {"name": "…"}}`.',
        "parallel_tool_calls": "Whether it may call several tools at once.",
        "response_format": (
            '`{"type": "json_object"}` for JSON, or `{"type": "json_schema", "json_schema": {…}}` for JSON of a shape.'
        ),
        "functions": "The older form of `tools`.",
        "function_call": "The older form of `tool_choice`.",
        "logit_bias": "How much likelier or less likely tokens are to be, from -100 to 100, by their numbers.",
        "modalities": "What the answer is to be: `text`, `audio`. Needs a model that has it.",
        "audio": "The voice and format of an answer that is spoken.",
        "prediction": "What most of the answer will be, where that is known.",
        "reasoning_effort": "How much the model is to think first. Models have some of these, as `capabilities` say.",
        "verbosity": "How long an answer is to be.",
        "service_tier": "How fast and dear it is to be. `priority` is refused: it has a price that nobody here knows.",
        "store": "Passed on to providers that keep answers.",
        "prompt_cache_key": "Passed on: what OpenAI keeps requests together by, so that its cache serves them.",
        "safety_identifier": "Your own name for the person who asks, passed on; not their real one.",
        "web_search_options": "Refused: a search has a price that nobody here knows.",
        "metadata": "Up to 16 pairs of your own, passed on to providers that keep them.",
    },
    "ReasoningEffort": {"effort": "How much the model is to think first."},
    "JsonSchema": {
        "name": "What the shape is called: letters, digits, `-` and `_`, up to 64.",
        "description": "What it is for, for the model to read.",
        "schema": "The JSON schema of the answer.",
        "strict": "Whether the answer must keep to it in every detail.",
    },
    "ResponseFormat": {
        "type": "`text`, `json_object` or `json_schema`.",
        "json_schema": "The shape, when the type is `json_schema`.",
    },
    "Message": {
        "role": "Who speaks.",
        "content": "What is said: text, or parts. Null in an assistant's message that only calls tools.",
        "name": "The name of who speaks, to tell people of one role apart.",
        "tool_calls": "In an assistant's message: the calls that it made.",
        "tool_call_id": "In a tool's message: the call that it answers.",
        "refusal": "In an assistant's message: what it said instead of an answer.",
        "function_call": "In an assistant's message: the call that it made, in the older form.",
    },
    "ContentPart": {"type": "The kind of part. It says which other fields there are."},
    "ToolCall": {
        "id": "Its id, for the message that answers it.",
        "type": "`function`, unless the provider knows others.",
        "function": "What was to be called.",
    },
    "FunctionCall": {"name": "Its name.", "arguments": "JSON, as the model wrote it."},
    "Tool": {
        "type": "`function`. What tools cost that a provider runs by itself, nobody can say: they are refused.",
        "function": "What it does and what it takes.",
    },
    "FunctionDefinition": {
        "name": "Its name, by which the model calls it.",
        "description": "What it does, for the model to decide when to call it.",
        "parameters": "What it takes, as a JSON schema of an object.",
        "strict": "Whether calls must keep to the schema in every detail.",
    },
    "StreamOptions": {
        "include_usage": "End with a chunk that has the usage and no choices.",
        "include_obfuscation": "Passed on: OpenAI pads its chunks, so that their lengths tell less.",
    },
    "CompletionRequest": {
        **_SAMPLING,
        **_STREAM,
        "model": MODEL,
        "prompt": "A text or several, or the same as tokens.",
        "suffix": "What comes after the answer.",
        "max_tokens": "The most tokens that the answer may have. It bounds what is held.",
        "n": "How many answers to each prompt. Each is charged.",
        "best_of": "How many to try and choose `n` from. Each is charged.",
        "logprobs": "How many of the likeliest tokens to tell at each place.",
        "echo": "Repeat the prompt before the answer.",
    },
    "EmbeddingsRequest": {
        "model": MODEL,
        "input": "A text or several, or the same as tokens.",
        "encoding_format": "`float` for numbers, or `base64` for the bytes of 32-bit floats, little-endian.",
        "dimensions": "How long the vectors are to be, where the model can shorten them.",
        "user": _SAMPLING["user"],
        "stream": "Vectors are not streamed.",
    },
}
