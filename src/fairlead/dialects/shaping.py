"""Asking for an answer of a given form where a language or a model has no word for it, and asking again.

Three ways to have a JSON schema kept: the language's own word (which needs nothing from here), a tool that must be
called and whose arguments are the answer, or telling the model. All are pure: a conversation becomes another, and what
comes back becomes what would have come back. Whether an answer is valid is `scoring/json_schema.py`'s to say.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import (
    Answer,
    Chat,
    Chunk,
    Head,
    Item,
    Message,
    Part,
    Said,
    Shape,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from fairlead.dialects.reading import UNREADABLE, raw_json, text_of

# Where a caller of each language finds the schema that he sent.
SCHEMA_PATHS = {
    "openai": "response_format.json_schema.schema",
    "responses": "text.format.schema",
    "anthropic": "output_config.format.schema",
    "gemini": "generationConfig.responseJsonSchema",
    "bedrock": "outputConfig.textFormat.structure.jsonSchema.schema",
}
WITHOUT_JSON_MODE = frozenset({"anthropic", "bedrock"})  # languages that can say a schema, but not just "JSON"
INSTRUCTION_TOKENS = 200  # at most, of what is said here beside a schema

_TOOL = "answer"
_WRAPPED = "value"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_CUT = re.compile(rb'\A\s*\{\s*"value"\s*:\s*')
_LITERAL = frozenset({"const", "enum", "default", "example", "examples"})  # values there are values, not subschemas
_OBJECT = Raw(b'{"type":"object"}')

_ANY = msgspec.json.Decoder()
_RAWS = msgspec.json.Decoder(dict[str, Raw])


# --- by a tool -------------------------------------------------------------------------------------------------------


def by_tool(chat: Chat) -> Chat:
    """The same conversation, where the model must call one tool whose parameters are the schema.

    Parameters must be an object, so any other schema is wrapped in one. The conversation must have a shape and may not
    offer tools of its own.
    """
    shape = chat.shape or Shape("json")
    tool = Tool(
        name=shape.name if shape.name and _NAME.match(shape.name) else _TOOL,
        description=shape.description or "Takes the answer: its arguments are the answer itself.",
        parameters=_wrapped(shape.schema) if is_wrapped(shape) else shape.schema or _OBJECT,
        strict=shape.strict,
    )
    return replace(chat, shape=None, tools=(tool,), tool_choice=ToolChoice("named", tool.name))


def is_wrapped(shape: Shape | None) -> bool:
    """Whether a tool for it holds the answer as a field instead of being it."""
    if shape is None or shape.schema is None:
        return False
    schema = _ANY.decode(shape.schema)
    return not (isinstance(schema, dict) and schema.get("type") == "object")


def _wrapped(schema: Raw | None) -> Raw:
    inner = _moved(_ANY.decode(schema or b"{}"))
    wrapper = {"type": "object", "properties": {_WRAPPED: inner}, "required": [_WRAPPED], "additionalProperties": False}
    return raw_json(wrapper)


def _moved(schema: Any) -> Any:
    """The same schema one level down: its references begin at the top."""
    if isinstance(schema, list):
        return [_moved(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {name: below if name in _LITERAL else _moved(below) for name, below in schema.items()}
    reference = moved.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        moved["$ref"] = f"#/properties/{_WRAPPED}{reference[1:]}"
    return moved


def from_tool(answer: Answer, *, wrapped: bool) -> Answer:
    """The answer to `by_tool`, as if it had been said: the call's arguments are the text.

    A model that called nothing is taken at its word.
    """
    said = tuple(_unsaid(one, wrapped) for one in answer.said)
    finish = said[0].finish if said and said[0].finish is not None else answer.finish
    return replace(answer, said=said, finish=finish, spoken=None, dialect="")


def _unsaid(said: Said, wrapped: bool) -> Said:
    calls = said.tool_calls
    if not calls:
        return said
    text = Text(_unwrapped(calls[0].arguments) if wrapped else calls[0].arguments)
    parts: tuple[Part, ...] = tuple(part for part in said.parts if not isinstance(part, Text | ToolCall))
    return replace(said, parts=(*parts, text), finish="stop" if said.finish == "tool_calls" else said.finish)


def _unwrapped(arguments: str) -> str:
    """What is in the wrapper; of one that was cut off, what there is."""
    try:
        return text_of(_RAWS.decode(arguments)[_WRAPPED])
    except (*UNREADABLE, KeyError):
        return _CUT.sub(b"", arguments.encode()).decode()


class FromTool:
    """The same for a stream: feed it items, and pass on what it gives.

    Arguments pass as text as they come; wrapped ones are held until they are whole, since only then is it known where
    the wrapper ends. Text is held until it is known whether a call comes.
    """

    def __init__(self, *, wrapped: bool) -> None:
        self._wrapped = wrapped
        self._choices: dict[int, _Choice] = {}

    def take(self, item: Item) -> Iterator[Item]:
        match item:
            case Head():
                yield replace(item, dialect="", spoken=None)
            case Usage():
                yield replace(item, spoken=None)
            case Chunk():
                yield from self._take(item)

    def _take(self, chunk: Chunk) -> Iterator[Item]:
        choice = self._choices.setdefault(chunk.index, _Choice())
        text = ""
        if chunk.tool is not None:
            choice.slot = chunk.tool.slot if choice.slot is None else choice.slot
            if chunk.tool.slot == choice.slot:
                text = chunk.tool.arguments
        choice.said += chunk.text
        if self._wrapped:
            choice.held += text
            text = ""
        if chunk.finish:
            text += _unwrapped(choice.held) if choice.held else ""
            text = choice.said if choice.slot is None else text
        finish = "stop" if chunk.finish == "tool_calls" and choice.slot is not None else chunk.finish
        words = bool(text or chunk.reasoning or chunk.refusal)
        turned = replace(chunk, text=text, tool=None, finish=finish, words=words, spoken=None)
        if words or finish or turned.part is not None:
            yield turned


class _Choice(msgspec.Struct):
    """What is known of one choice: the slot of its call, and what is held of text and of arguments."""

    slot: int | None = None
    said: str = ""
    held: str = ""


# --- by telling ------------------------------------------------------------------------------------------------------


def by_prompt(chat: Chat) -> Chat:
    """The same conversation, where the model is told the form by the system prompt."""
    schema = chat.shape.schema if chat.shape is not None else None
    told = (
        "Answer with one JSON object and nothing else: no explanation, no code fence."
        if schema is None
        else "Answer with one JSON value that is valid under the JSON schema below, and nothing else: no explanation, "
        f"no code fence.\n\n{text_of(schema)}"
    )
    first = chat.messages[0] if chat.messages else None
    if first is not None and first.role == "system":  # many models take one system message only
        first = replace(first, parts=(*first.parts, Text(f"\n\n{told}")))
        return replace(chat, shape=None, messages=(first, *chat.messages[1:]))
    return replace(chat, shape=None, messages=(Message("system", (Text(told),)), *chat.messages))


# --- once more -------------------------------------------------------------------------------------------------------


def repairing(chat: Chat, said: str, problem: str) -> Chat:
    """The conversation goes on: the answer as it was given, and what is wrong with it."""
    told = f"That is not valid. {problem} Give the whole answer again, corrected, and nothing else."
    again = Message("user", (Text(told),))
    spoken = (Message("assistant", (Text(said),)),) if said.strip() else ()
    return replace(chat, messages=(*chat.messages, *spoken, again))
