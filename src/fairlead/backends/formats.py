"""The wire formats: where the tasks of a language lie below a base URL, how a key is shown, how a stream is framed.

Rows of data around the dialects. They know no account and no provider: a provider that differs says so in the catalog.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Literal

from msgspec import Struct

from fairlead.dialects import anthropic, bedrock, gemini, openai, rerank, responses
from fairlead.wire.eventstream import Frames
from fairlead.wire.response import Decoder
from fairlead.wire.sse import Events

Auth = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "none"]


class Format(Struct, frozen=True, kw_only=True):
    """`paths` by task, `stream_paths` where a stream is asked elsewhere; `{model}` stands for the target's model.

    `trims`: an end of the base URL that means the same with and without it.
    """

    language: ModuleType
    paths: Mapping[str, str]
    example: str
    stream_paths: Mapping[str, str] = MappingProxyType({})
    auth: Auth = "bearer"
    headers: Mapping[str, str] = MappingProxyType({})
    trims: str = ""
    stream_type: str = "text/event-stream"
    decoder: Callable[[], Decoder] = Events


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "openai": Format(
            language=openai,
            paths={"chat": "/chat/completions", "complete": "/completions", "embed": "/embeddings"},
            example="https://api.openai.com/v1",
        ),
        "responses": Format(
            language=responses,
            paths={"chat": "/responses", "count": "/responses/input_tokens"},
            example="https://api.openai.com/v1",
        ),
        "anthropic": Format(
            language=anthropic,
            paths={"chat": "/v1/messages", "count": "/v1/messages/count_tokens"},
            example="https://api.anthropic.com",
            auth="x-api-key",
            headers={"anthropic-version": "2023-06-01"},
            trims="/v1",
        ),
        "gemini": Format(
            language=gemini,
            paths={
                "chat": "/models/{model}:generateContent",
                "embed": "/models/{model}:batchEmbedContents",
                "count": "/models/{model}:countTokens",
            },
            stream_paths={"chat": "/models/{model}:streamGenerateContent?alt=sse"},
            example="https://generativelanguage.googleapis.com/v1beta",
            auth="x-goog-api-key",
        ),
        "bedrock": Format(
            language=bedrock,
            paths={"chat": "/model/{model}/converse", "count": "/model/{model}/count-tokens"},
            stream_paths={"chat": "/model/{model}/converse-stream"},
            example="https://bedrock-runtime.us-east-1.amazonaws.com",
            stream_type="application/vnd.amazon.eventstream",
            decoder=Frames,
        ),
        "rerank": Format(language=rerank, paths={"rerank": "/rerank"}, example="https://api.cohere.com/v2"),
    }
)
