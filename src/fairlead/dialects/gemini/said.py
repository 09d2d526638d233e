"""Gemini's language: what a model says, as it stands in an answer or in one event of a stream, read for the house.

Answers and events have the same shape; an event holds a piece of each candidate.
"""

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Finish, Media, Opaque, Part, Text, Thinking, ToolCall, Usage
from fairlead.dialects.failures import unclear
from fairlead.dialects.gemini.media import Blob, File, read_blob, read_file
from fairlead.dialects.gemini.names import DIALECT, NULL, RAWS
from fairlead.dialects.gemini.signing import real, unwrap
from fairlead.dialects.reading import UNREADABLE, text_of
from fairlead.errors import RequestInvalid, TargetError, TargetFailed, TargetRefused

_FINISHES: dict[str, Finish] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
# Ends that are no answer, whatever was said before: the generation went wrong.
_FAILURES = frozenset({
    "FINISH_REASON_UNSPECIFIED", "OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "NO_IMAGE", "IMAGE_OTHER",
})  # fmt: skip
# Those by which the provider only doubts the calls that came: where there are some they are the answer.
_DOUBTS = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"})
_LONGEST_ID = 30  # of an answer, within the id of a call: some APIs take no longer ones than 40 in all


class PartialArg(Struct, rename="camel"):
    """A piece of a call's arguments: a value, or a piece of a string, at a place in them."""

    json_path: str = ""
    string_value: str | None = None
    number_value: int | float | None = None
    bool_value: bool | None = None
    will_continue: bool | None = None


class CallSaid(Struct, rename="camel"):
    id: str | None = None
    name: str | None = None
    args: Raw = NULL
    partial_args: list[PartialArg] | None = None
    will_continue: bool | None = None


class PartSaid(Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: CallSaid | None = None
    inline_data: Blob | None = None
    file_data: File | None = None


class _Content(Struct):
    parts: list[PartSaid] | None = None


class _Grounding(Struct, rename="camel"):
    web_search_queries: list[str] | None = None


class Candidate(Struct, rename="camel"):
    index: int | None = None
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    logprobs_result: Raw = NULL
    grounding_metadata: _Grounding | None = None

    @property
    def parts(self) -> list[PartSaid]:
        return (self.content.parts if self.content else None) or []


class _Count(Struct, rename="camel"):
    modality: str = ""
    token_count: int | None = None


class UsageSaid(Struct, rename="camel"):
    prompt_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: list[_Count] | None = None
    tool_use_prompt_tokens_details: list[_Count] | None = None
    candidates_tokens_details: list[_Count] | None = None
    cache_tokens_details: list[_Count] | None = None


class _Feedback(Struct, rename="camel"):
    block_reason: str | None = None
    block_reason_message: str | None = None


class Body(Struct, rename="camel"):
    candidates: list[Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: UsageSaid | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Raw = NULL

    @property
    def blocked(self) -> str | None:
        """What a caller is told where the prompt was not even answered; None where it was."""
        feedback = self.prompt_feedback
        if self.candidates or feedback is None or not feedback.block_reason:
            return None
        return feedback.block_reason_message or f"The prompt was blocked ({feedback.block_reason})."


class _RawContent(Struct):
    parts: list[Raw] = []


class _RawCandidate(Struct):
    content: _RawContent | None = None


class _RawBody(Struct):
    candidates: list[_RawCandidate]


BODY = msgspec.json.Decoder(Body)
_RAW_BODY = msgspec.json.Decoder(_RawBody)


# --- ends ------------------------------------------------------------------------------------------------------------


def read_finish(candidate: Candidate, *, called: bool, body: bytes) -> Finish | None:
    """None where there is none yet, or one that the house does not know. `called`: it called a tool, here or before.

    Raises the TargetError that fits where the provider gave up.
    """
    reason = candidate.finish_reason
    if not reason:
        return None
    if called and (reason == "STOP" or reason in _DOUBTS):
        return "tool_calls"
    if reason in _FAILURES or reason == "PUP_LIMITED_DISABLED":
        raise _given_up(reason, candidate.finish_message, body)
    return _FINISHES.get(reason)


def _given_up(reason: str, message: str | None, body: bytes) -> TargetError:
    kind = TargetRefused if reason == "PUP_LIMITED_DISABLED" else TargetFailed
    why = f"{reason}: {message}" if message else reason
    return kind(f"The target gave up its answer: {why[:500]}", body=body, dialect=DIALECT)


def read_refusal(candidate: Candidate, finish: Finish | None) -> str | None:
    return candidate.finish_message or None if finish == "content_filter" else None


# --- parts -----------------------------------------------------------------------------------------------------------


def call_id(answer: str, index: int, slot: int) -> str:
    """The id of a call that came without one: the same for the same answer, and another one in every answer."""
    of = f"{answer[:_LONGEST_ID]}_" if answer else ""
    return f"call_{of}{index}_{slot}" if index else f"call_{of}{slot}"


def read_arguments(args: Raw) -> str:
    return "{}" if args == NULL else text_of(args)


def read_media(part: PartSaid, body: bytes) -> Media | None:
    """A generated medium. Raises TargetUnclear where its data can't be read."""
    try:
        if part.inline_data is not None:
            return read_blob(part.inline_data, "inlineData")
        return None if part.file_data is None else read_file(part.file_data, "fileData")
    except RequestInvalid as error:
        raise unclear(error.message, body, DIALECT) from None


def sign(text: str, signature: str, origin: str) -> Thinking:
    said = unwrap(signature, origin)
    return Thinking(text, said.signature, said.origin, said.redacted, said.id)


def read_opaque(body: bytes, candidate: int, position: int) -> Opaque | None:
    """What ran at the provider, as it stands: the part at `position` of the candidate at that place in a body."""
    try:
        content = _RAW_BODY.decode(body).candidates[candidate].content
        raw = Raw(bytes(content.parts[position])) if content else Raw(b"{}")
        kinds = [name for name in RAWS.decode(raw) if name not in ("thought", "thoughtSignature", "partMetadata")]
    except (*UNREADABLE, IndexError):
        return None
    return Opaque(kinds[0], raw, DIALECT) if kinds else None


def read_parts(said: Candidate, place: int, answer: str, body: bytes, origin: str) -> list[Part]:
    """All parts of the candidate that stands at `place` in a whole answer, in order."""
    parts: list[Part] = []
    slot = 0
    for position, part in enumerate(said.parts):
        signature = real(part.thought_signature)
        call = part.function_call
        if call is not None:
            id = call.id or call_id(answer, said.index or 0, slot)
            parts.append(read_call(call, id, signature, origin))
            slot += 1
        elif part.text is not None:
            parts += _read_text(part.text, bool(part.thought), signature, origin)
        elif medium := read_media(part, body):
            parts += [medium] if signature is None else [medium, sign("", signature, origin)]
        elif opaque := read_opaque(body, place, position):
            parts.append(opaque)
        elif signature is not None:
            parts.append(sign("", signature, origin))
    return parts


def read_call(said: CallSaid, id: str, signature: str | None, origin: str) -> ToolCall:
    arguments = read_arguments(said.args)
    if signature is None:
        return ToolCall(id, said.name or "", arguments)
    signed = unwrap(signature, origin)
    return ToolCall(id, said.name or "", arguments, signed.signature, signed.origin)


def _read_text(text: str, thought: bool, signature: str | None, origin: str) -> list[Part]:
    if thought:
        return [Thinking(text) if signature is None else sign(text, signature, origin)]
    if signature is None:
        return [Text(text)] if text else []
    return [Text(text), sign("", signature, origin)] if text else [sign("", signature, origin)]


# --- what was used ---------------------------------------------------------------------------------------------------

# Google counts documents by their pages, as images.
_INPUT = {"AUDIO": "input_audio_tokens", "IMAGE": "input_image_tokens", "DOCUMENT": "input_image_tokens",
          "VIDEO": "input_video_tokens"}  # fmt: skip
_OUTPUT = {"AUDIO": "output_audio_tokens", "IMAGE": "output_image_tokens"}
_CACHE = {"AUDIO": "cache_audio_read_tokens", "IMAGE": "cache_image_read_tokens",
          "DOCUMENT": "cache_image_read_tokens", "VIDEO": "cache_video_read_tokens"}  # fmt: skip


def read_usage(said: UsageSaid, searches: int = 0) -> Usage | None:
    """Tokens as the house counts them; None where an event tells no counts. What tools read at the provider is input.

    `searches`: how often the provider searched the web for the answer.
    """
    if said.prompt_token_count is None and said.candidates_token_count is None and said.total_token_count is None:
        return None
    thoughts = said.thoughts_token_count or 0
    details: dict[str, int] = {}
    for counts, names in (
        (said.prompt_tokens_details, _INPUT),
        (said.tool_use_prompt_tokens_details, _INPUT),
        (said.candidates_tokens_details, _OUTPUT),
        (said.cache_tokens_details, _CACHE),
    ):
        for count in counts or ():
            if count.token_count and (name := names.get(count.modality)):
                details[name] = details.get(name, 0) + count.token_count
    if searches:
        details["web_searches"] = searches
    return Usage(
        input=max((said.prompt_token_count or 0) + (said.tool_use_prompt_token_count or 0), 0),
        output=max((said.candidates_token_count or 0) + thoughts, 0),
        cache_read=max(said.cached_content_token_count or 0, 0),
        reasoning=max(thoughts, 0),
        details=details,
    )


def count_searches(candidates: list[Candidate]) -> int:
    """Queries to the web, as Google bills them: those without words are none."""
    found = 0
    for candidate in candidates:
        grounding = candidate.grounding_metadata
        if grounding is not None and grounding.web_search_queries:
            found += sum(1 for query in grounding.web_search_queries if query)
    return found
