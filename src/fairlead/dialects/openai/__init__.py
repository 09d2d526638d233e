"""OpenAI's language, both ways: chat completions, completions, embeddings. This is its front; the parts lie beside it.

Callers come in it (`read_request`, `write_answer`, `StreamWriter`, `error_body`, `models_body`) and every compatible
server is asked in it (`pass_request`, `write_request`, `write_embed`, `read_answer`, `StreamReader`, `read_error`).
"""

from fairlead.dialects.failures import read_error
from fairlead.dialects.openai.answer import error_body, models_body, read_answer, write_answer
from fairlead.dialects.openai.ask import pass_request, write_request
from fairlead.dialects.openai.chat import read_chat
from fairlead.dialects.openai.embed import read_embed, write_embed
from fairlead.dialects.openai.language import DIALECT, LANGUAGE, TASKS
from fairlead.dialects.openai.request import read_request
from fairlead.dialects.openai.stream import StreamReader
from fairlead.dialects.openai.telling import StreamWriter

__all__ = [
    "DIALECT",
    "LANGUAGE",
    "TASKS",
    "StreamReader",
    "StreamWriter",
    "error_body",
    "models_body",
    "pass_request",
    "read_answer",
    "read_chat",
    "read_embed",
    "read_error",
    "read_request",
    "write_answer",
    "write_embed",
    "write_request",
]
