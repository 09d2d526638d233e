"""Anthropic's language, both ways: the Messages API and the count of its tokens. This is its front.

Callers come in it (`read_request`, `write_answer`, `StreamWriter`, `error_body`, `models_body`; for counts
`read_count_request`, `count_body`), and targets are asked in it (`pass_request`, `write_request`, `read_answer`,
`StreamReader`, `read_error`; for counts `pass_count_request`, `write_count_request`, `read_count_answer`). `fits` says
whether a request may be passed on to a model as it stands.
"""

from fairlead.dialects.anthropic.answer import read_answer
from fairlead.dialects.anthropic.ask import LANGUAGE, write_count_request, write_request
from fairlead.dialects.anthropic.chat import read_chat
from fairlead.dialects.anthropic.fitting import fits
from fairlead.dialects.anthropic.passing import pass_count_request, pass_request
from fairlead.dialects.anthropic.reply import (
    count_body,
    error_body,
    model_body,
    models_body,
    read_count_answer,
    write_answer,
)
from fairlead.dialects.anthropic.request import TASKS, read_count_request, read_request
from fairlead.dialects.anthropic.signing import DIALECT
from fairlead.dialects.anthropic.speaking import StreamWriter
from fairlead.dialects.anthropic.stream import StreamReader
from fairlead.dialects.failures import read_error

__all__ = [
    "DIALECT",
    "LANGUAGE",
    "TASKS",
    "StreamReader",
    "StreamWriter",
    "count_body",
    "error_body",
    "fits",
    "model_body",
    "models_body",
    "pass_count_request",
    "pass_request",
    "read_answer",
    "read_chat",
    "read_count_answer",
    "read_count_request",
    "read_error",
    "read_request",
    "write_answer",
    "write_count_request",
    "write_request",
]
