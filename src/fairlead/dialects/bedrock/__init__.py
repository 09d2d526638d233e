"""Bedrock's language (Converse), both ways: conversations and the count of their tokens. This is its front.

Callers come in it (`read_request`, `write_answer`, `StreamWriter`, `error_body`) and AWS is asked in it
(`pass_request`, `write_request`, `read_answer`, `StreamReader`, `read_error`). Streams are no server-sent events but
binary frames (`STREAM_CONTENT_TYPE`); the model's name and whether it streams stand in the URL.
"""

from fairlead.dialects.bedrock.answer import read_answer, write_answer
from fairlead.dialects.bedrock.ask import LANGUAGE, pass_request, write_count_request, write_request
from fairlead.dialects.bedrock.chat import read_chat
from fairlead.dialects.bedrock.count import count_body, read_count_answer
from fairlead.dialects.bedrock.failure import error_body, error_type, read_error
from fairlead.dialects.bedrock.frames import STREAM_CONTENT_TYPE
from fairlead.dialects.bedrock.request import TASKS, read_count_request, read_request
from fairlead.dialects.bedrock.signing import DIALECT
from fairlead.dialects.bedrock.stream import StreamReader
from fairlead.dialects.bedrock.telling import StreamWriter

__all__ = [
    "DIALECT",
    "LANGUAGE",
    "STREAM_CONTENT_TYPE",
    "TASKS",
    "StreamReader",
    "StreamWriter",
    "count_body",
    "error_body",
    "error_type",
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
