"""What is conserved between two languages, found out by translating: one probe for each thing that can be said.

A probe is said in the caller's language, read, said in the target's, and read again; answers go the other way. Nothing
here is a table that could lie: the one in the documentation is made of these results.
"""

from fairlead.dialects.probes.finding import (
    LANGUAGES,
    MODELS,
    QUIRKS,
    Fate,
    Finding,
    Topic,
    answer_findings,
    embedding_findings,
    request_findings,
    return_findings,
    said_in,
    stream_findings,
)

__all__ = [
    "LANGUAGES",
    "MODELS",
    "QUIRKS",
    "Fate",
    "Finding",
    "Topic",
    "answer_findings",
    "embedding_findings",
    "request_findings",
    "return_findings",
    "said_in",
    "stream_findings",
]
