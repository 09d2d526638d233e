"""OpenAI's Responses language, both ways: requests, responses, their streams. This is its front.

Callers come in it (`read_request`, `write_answer`, `StreamWriter`, `error_body`), may continue a response by its id
(`previous_of`, `continued`, `kept`) and have tokens counted (`read_count_request`, `count_body`). Models that are
reached only in it are asked in it (`pass_request`, `write_request`, `read_answer`, `StreamReader`, `read_error`).

Not spoken: conversations and prompts that the provider keeps, responses in the background, compaction.
"""

from fairlead.dialects.failures import read_error
from fairlead.dialects.responses.answer import read_answer, read_count_answer
from fairlead.dialects.responses.ask import pass_request, write_count_request, write_request
from fairlead.dialects.responses.chat import read_chat
from fairlead.dialects.responses.envelope import count_body, error_body
from fairlead.dialects.responses.keeping import continued, id_of, kept, previous_of, wants_store
from fairlead.dialects.responses.language import DIALECT, LANGUAGE, TASKS
from fairlead.dialects.responses.reader import StreamReader
from fairlead.dialects.responses.request import read_count_request, read_request, route_of
from fairlead.dialects.responses.telling import write_answer
from fairlead.dialects.responses.writer import StreamWriter

__all__ = [
    "DIALECT",
    "LANGUAGE",
    "TASKS",
    "StreamReader",
    "StreamWriter",
    "continued",
    "count_body",
    "error_body",
    "id_of",
    "kept",
    "pass_request",
    "previous_of",
    "read_answer",
    "read_chat",
    "read_count_answer",
    "read_count_request",
    "read_error",
    "read_request",
    "route_of",
    "wants_store",
    "write_answer",
    "write_count_request",
    "write_request",
]
