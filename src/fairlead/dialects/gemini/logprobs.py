"""Gemini's language: log probabilities, which the house keeps in OpenAI's form. Both ways.

| here | in OpenAI's form |
|---|---|
| `chosenCandidates` | `content` |
| `topCandidates`, one list for each token | `top_logprobs` of that token |
| a token's id | left out |
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.dialects.reading import UNREADABLE, raw_json


class _Token(Struct, rename="camel"):
    """A probability of 1 is a logarithm of 0, which this API leaves unsaid."""

    token: str = ""
    log_probability: float = 0.0


class _Top(Struct):
    candidates: list[_Token] = []


class _Result(Struct, rename="camel"):
    chosen_candidates: list[_Token] = []
    top_candidates: list[_Top] = []


class _Said(Struct):
    token: str
    logprob: float = 0.0
    top_logprobs: list["_Said"] = []


class _Logprobs(Struct):
    content: list[_Said] | None = None


_RESULT = msgspec.json.Decoder(_Result)
_LOGPROBS = msgspec.json.Decoder(_Logprobs)


def read_logprobs(raw: Raw) -> Raw | None:
    """`logprobsResult` in OpenAI's form; None where it tells nothing that can be read."""
    try:
        said = _RESULT.decode(raw)
    except UNREADABLE:
        return None
    tops = said.top_candidates
    content = [
        {
            **_written(token),
            "top_logprobs": [_written(top) for top in tops[place].candidates] if place < len(tops) else [],
        }
        for place, token in enumerate(said.chosen_candidates)
    ]
    return raw_json({"content": content, "refusal": None}) if content else None


def _written(token: _Token) -> dict[str, Any]:
    return {"token": token.token, "logprob": token.log_probability, "bytes": list(token.token.encode())}


def write_logprobs(raw: Raw) -> dict[str, Any] | None:
    """A `logprobsResult` from OpenAI's form; None where there is nothing in it, or it is in another form."""
    try:
        content = _LOGPROBS.decode(raw).content
    except UNREADABLE:
        return None
    if not content:
        return None
    said: dict[str, Any] = {"chosenCandidates": [_token(token) for token in content]}
    if any(token.top_logprobs for token in content):
        said["topCandidates"] = [{"candidates": [_token(top) for top in token.top_logprobs]} for token in content]
    return said


def _token(said: _Said) -> dict[str, Any]:
    return {"token": said.token, "logProbability": said.logprob}
