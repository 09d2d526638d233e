"""The language of rerankers, both ways: one query, many documents, an order. This is its front.

Cohere, Jina, Voyage, vLLM, llama.cpp and Text Embeddings Inference speak it with small differences. Callers may use any
of their words for a request and are answered with `results`; targets that want other words say so by quirks. It has no
streams.
"""

from fairlead.dialects.failures import read_error
from fairlead.dialects.rerank.answer import error_body, read_answer, write_answer
from fairlead.dialects.rerank.ask import LANGUAGE, pass_request, write_rerank
from fairlead.dialects.rerank.request import DIALECT, TASKS, read_request, read_rerank

__all__ = [
    "DIALECT",
    "LANGUAGE",
    "TASKS",
    "error_body",
    "pass_request",
    "read_answer",
    "read_error",
    "read_request",
    "read_rerank",
    "write_answer",
    "write_rerank",
]
