"""Signatures of the stand-in: over what it said, in the name of the language that it was asked in.

A signature says in base64 whose it is and what it signs, so that one which comes back can be held against what it came
back with; and so that one which went to another provider is found in the bytes of a request, wherever it stands.
"""

import base64
import hashlib
from collections.abc import Iterator

from msgspec import Struct

from clients.standin.schemas import canonical
from fairlead.chat import Chat, Text, Thinking, ToolCall
from fairlead.dialects import gemini
from fairlead.dialects.signatures import MARK

LANGUAGES = ("openai", "responses", "anthropic", "gemini", "bedrock")
FORMAT = "stand-in-v1"  # how one who speaks OpenAI's language calls the form of its signatures


class Foreign(Exception):
    """A signature came that this provider did not give, or not for this."""


class Kept(Struct, frozen=True):
    """What came back of what was thought: so many signed thoughts and so many signed calls."""

    thoughts: int = 0
    calls: int = 0


def sign(language: str, subject: str) -> str:
    digest = hashlib.blake2b(subject.encode(), digest_size=12).hexdigest()
    signature = base64.b64encode(f"signed by {language}: {digest}".encode()).decode()
    return f"{FORMAT}:{signature}" if language == "openai" else signature


def of_call(call: ToolCall) -> str:
    """What the signature of a call is over."""
    return f"call {call.name} {canonical(call.arguments)}"


def of_thought(part: Thinking, said: str = "") -> str:
    """What the signature of a thought is over: where it has no text, over what was `said` before it."""
    if part.redacted:
        return "hidden"
    return f"thought {part.text} {part.id or ''}" if part.text else f"text {said}"


def take_back(chat: Chat, language: str, body: bytes) -> Kept:
    """Raises Foreign unless every signature in the request is this provider's own, unchanged, beside what it signs."""
    for other in LANGUAGES:
        if other != language and _beginning(other) in body:
            raise Foreign(f"a signature of {other}'s was sent to {language}")
    if MARK in body or gemini.has_wrapped(body):
        raise Foreign(f"a wrapped signature was sent to {language}")
    found = [part for part, subject in _signed(chat) if _is_own(part, subject, language)]
    calls = sum(isinstance(part, ToolCall) for part in found)
    return Kept(len(found) - calls, calls)


def _beginning(language: str) -> bytes:
    """Of every signature in that name: as many characters of base64 as its words decide alone."""
    words = f"signed by {language}".encode()
    return base64.b64encode(words[: len(words) // 3 * 3])


def _signed(chat: Chat) -> Iterator[tuple[Thinking | ToolCall, str]]:
    """Every signed part and what its signature should be over. One text may come in pieces, as it was streamed."""
    said = ""
    for message in chat.messages:
        said = said if message.role == "assistant" else ""
        for part in message.parts:
            if isinstance(part, ToolCall) and part.signature is not None:
                yield part, of_call(part)
            elif isinstance(part, Thinking) and part.signature is not None:
                yield part, of_thought(part, said)
            said = said + part.text if isinstance(part, Text) else ""


def _is_own(part: Thinking | ToolCall, subject: str, language: str) -> bool:
    if (part.signature, part.origin) != (sign(language, subject), language):
        raise Foreign(f"{language} gave no signature {part.signature!r} of {part.origin!r} for {subject!r}")
    return True
