"""Gemini's language, both ways: generateContent, streamGenerateContent, embeddings, countTokens. This is its front.

Callers come in it (`read_request`, `write_answer`, `StreamWriter`, `error_body`, `models_body`) and Google's servers
are asked in it (`pass_request`, `write_request`, `read_answer`, `StreamReader`, `read_error`). The model's name, the
method and whether to stream stand in the URL, which nothing here knows.
"""

from fairlead.dialects.gemini.answer import (
    count_body,
    error_body,
    models_body,
    read_answer,
    read_count_answer,
    read_error,
    write_answer,
)
from fairlead.dialects.gemini.ask import pass_request, write_count_request, write_request
from fairlead.dialects.gemini.chat import read_chat
from fairlead.dialects.gemini.embed import read_embed, write_embed, write_embedding
from fairlead.dialects.gemini.names import DIALECT, LANGUAGE, TASKS
from fairlead.dialects.gemini.request import read_count_request, read_request
from fairlead.dialects.gemini.signing import has_wrapped
from fairlead.dialects.gemini.stream import StreamReader
from fairlead.dialects.gemini.writer import StreamWriter

__all__ = [
    "DIALECT",
    "LANGUAGE",
    "TASKS",
    "StreamReader",
    "StreamWriter",
    "count_body",
    "error_body",
    "has_wrapped",
    "models_body",
    "pass_request",
    "read_answer",
    "read_chat",
    "read_count_answer",
    "read_count_request",
    "read_embed",
    "read_error",
    "read_request",
    "write_answer",
    "write_count_request",
    "write_embed",
    "write_embedding",
    "write_request",
]
