"""OpenAI's language, inwards: a bare completion, read as a conversation of one message.

So it can be asked of targets that only know conversations. What it asks for beyond that (`suffix`, `echo`, `best_of`,
`logprobs`) is listed in `Chat.others`, in a language of its own: conversations have other words for it in this one too.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Raw

from fairlead.chat import Chat, Message, Text
from fairlead.dialects.openai.chat import caller_limit, read_stop
from fairlead.dialects.reading import need, take, take_optional
from fairlead.errors import RequestInvalid

COMPLETIONS = "openai completions"

_KNOWN = frozenset({
    "frequency_penalty", "max_completion_tokens", "max_tokens", "model", "n", "presence_penalty", "prompt", "seed",
    "stop", "stream", "stream_options", "temperature", "top_k", "top_p", "user",
})  # fmt: skip
_Count: TypeAlias = Annotated[int, Meta(ge=1)]
_IDLE = frozenset({b"null", b"false", b"0", b"{}", b"[]", b'""'})
_PROMPT = msgspec.json.Decoder(str | list[str | int | list[int]])
_SAMPLES = msgspec.json.Decoder(_Count | None)
_STRING = msgspec.json.Decoder(str | None)
_FLOAT = msgspec.json.Decoder(float | None)
_INT = msgspec.json.Decoder(int | None)


def read_completion(fields: dict[str, Raw]) -> Chat:
    """Raises RequestInvalid with the exact path, and `unsupported_feature` where the prompt is tokens or many: then
    there is no conversation to be had."""
    samples = take_optional(_SAMPLES, fields, "n") or 1
    idle = _IDLE | {b"1"} if samples == 1 else _IDLE  # `best_of: 1`
    return Chat(
        messages=(Message("user", (Text(_read_prompt(need(fields, "prompt"))),)),),
        max_output_tokens=caller_limit(fields),
        temperature=take_optional(_FLOAT, fields, "temperature"),
        top_p=take_optional(_FLOAT, fields, "top_p"),
        top_k=take_optional(_INT, fields, "top_k"),
        frequency_penalty=take_optional(_FLOAT, fields, "frequency_penalty") or None,
        presence_penalty=take_optional(_FLOAT, fields, "presence_penalty") or None,
        stop=read_stop(fields),
        seed=take_optional(_INT, fields, "seed"),
        user=take_optional(_STRING, fields, "user"),
        samples=samples,
        others={
            name: raw
            for name, raw in fields.items()
            if name not in _KNOWN and bytes(raw) not in (idle if name == "best_of" else _IDLE)
        },
        dialect=COMPLETIONS,
    )


def _read_prompt(raw: Raw) -> str:
    prompt = take(_PROMPT, raw, "prompt")
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1 and isinstance(prompt[0], str):
        return prompt[0]
    raise RequestInvalid(
        "`prompt`: tokens and several prompts can't be said as a conversation.",
        code="unsupported_feature",
        param="prompt",
        hint="Send one prompt as a string, or ask for a route whose targets serve bare completions.",
    )
