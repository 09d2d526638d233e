"""Anthropic's language, outwards: requests to the Messages API, its answers, its streams. This is its front.

Callers who speak it are not served yet, so there is no inward half.
"""

from fairlead.dialects.anthropic.answer import StreamReader, read_answer
from fairlead.dialects.anthropic.ask import DIALECT, write_request
from fairlead.dialects.failures import read_error

__all__ = ["DIALECT", "StreamReader", "read_answer", "read_error", "write_request"]
