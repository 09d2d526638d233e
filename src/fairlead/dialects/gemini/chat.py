"""Gemini's language, inwards: the full reading of a generateContent request into the house language.

Every error names the exact path, in Google's own spelling of the fields. What is valid here and has no word in the
house is listed in `Chat.others` or kept as an Opaque part. What is asked of the model beside the conversation
(`generationConfig`, `tools`, ...) is read in `settings`.

| here | in the house |
|---|---|
| `systemInstruction` | a system message at the front |
| a content of role `model` | an assistant's message, all parts in order |
| a content of role `user` with `functionResponse`s | a tool's message for each, then the rest |
| `thoughtSignature` on a call or a thought | `signature` of that part |
| `thoughtSignature` on any other part | a Thinking without text behind it |
| a call without an id | an id made from its place, `call_<content>_<call>` |
| a result without an id, or with one that no call has | that of the first open call of the same name |
| `executableCode`, `toolCall`, ... | Opaque |
| `videoMetadata` and whatever else a part says of its medium | `others` |
"""

from collections import deque
from collections.abc import Iterable

from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Chat, Media, Message, Opaque, Part, Text, Thinking, ToolCall
from fairlead.dialects.conversation import check_tools, places
from fairlead.dialects.gemini.contents import (
    CallSaid,
    ContentSaid,
    PartSaid,
    ResultPart,
    ResultSaid,
    located,
    read_contents,
    read_instruction,
)
from fairlead.dialects.gemini.media import read_blob, read_file
from fairlead.dialects.gemini.names import DIALECT, NULL, camelled, is_idle, take_object
from fairlead.dialects.gemini.results import plain_result, read_result
from fairlead.dialects.gemini.settings import read_settings
from fairlead.dialects.gemini.signing import real, unwrap
from fairlead.dialects.reading import required, text_of
from fairlead.errors import RequestInvalid

_ROLES = frozenset({None, "", "user", "model", "function", "tool"})


_NOTHING = Raw(b"{}")
_SAID_OF_ANY = frozenset({"text", "inlineData", "fileData", "thought", "thoughtSignature"})
_KINDLESS = frozenset({"thought", "thoughtSignature", "partMetadata"})


def read_chat(fields: dict[str, Raw]) -> Chat:
    """The whole of a request. Raises RequestInvalid with the exact path (`contents[3].parts[1].functionCall.name`)."""
    fields = camelled(fields)
    reading = _Conversation(fields)
    if "systemInstruction" in fields:
        reading.instruct()
    if "contents" not in fields:
        raise required("contents")
    contents, reading.may_say_more = read_contents(fields["contents"])
    paths = places("contents", len(contents))
    for position, content in enumerate(contents):
        reading.add(content, position, paths[position])
    check_tools(reading.messages, reading.paths)
    messages = _gathered(reading.messages) if reading.has_foreign else reading.messages
    words = read_settings(fields)
    words["others"].update(reading.others)
    return Chat(messages=tuple(messages), dialect=DIALECT, **words)


class _Conversation:
    """The messages so far, and the calls that still wait for their results."""

    def __init__(self, fields: dict[str, Raw]) -> None:
        self.messages: list[Message] = []
        self.paths: list[str] = []
        self.others: dict[str, Raw] = {}
        self.has_foreign = False  # a signature of another provider came
        self.may_say_more = True  # there may be fields in the parts that are not read
        self._fields = fields
        self._parts: dict[str, Raw] | None = None  # by path, as they stand; looked for when first asked
        self._open: dict[str, deque[str]] = {}  # name -> ids of its calls, in their order; also of some with a result
        self._done: set[str] = set()  # ids of calls that have one
        self._called: set[str] = set()

    def instruct(self) -> None:
        said = read_instruction(self._fields["systemInstruction"])
        parts: list[Part] = []
        if isinstance(said, str):
            parts.append(Text(said))
        else:
            for place, part in enumerate(said.all()):
                if part.text is not None and not part.thought and part.signature is None:
                    parts.append(Text(part.text))
                    continue
                path = said.path("systemInstruction", place)
                if part.result:
                    raise RequestInvalid(
                        f"`{path}`: a system prompt can't hold a tool's result.",
                        param=path,
                        hint="Send it in `contents`.",
                    )
                parts += self._read(part, path)
        if parts:
            self.messages.append(Message("system", tuple(parts)))
            self.paths.append("systemInstruction")

    def add(self, content: ContentSaid, position: int, path: str) -> None:
        """One content: the results in it are messages of their own, before the rest."""
        if content.role not in _ROLES:
            raise RequestInvalid(
                f"`{path}.role`: {content.role!r} is neither `user` nor `model`.",
                param=f"{path}.role",
                hint="A system prompt belongs into `systemInstruction`.",
            )
        parts: list[Part] = []
        results = calls = 0
        for place, said in enumerate(content.all()):
            text = said.text
            if text is not None and not said.thought and said.signature is None:
                parts.append(Text(text))
            elif said.result is not None:
                where = content.path(path, place)
                self.messages.append(self._read_result(said.result, where))
                self.paths.append(where)
                results += 1
            elif said.call is not None and text is None:
                parts.append(self._read_call(said.call, said.signature, position, calls))
                calls += 1
            else:
                parts += self._read(said, content.path(path, place))
        if parts or not results:
            self.messages.append(Message("assistant" if content.role == "model" else "user", tuple(parts)))
            self.paths.append(path)

    def _read(self, said: PartSaid, path: str) -> list[Part]:
        """All parts but calls and results."""
        signature = real(said.signature)
        if said.text is not None:
            return self._read_text(said.text, bool(said.thought), signature)
        if said.blob is not None:
            parts: list[Part] = [read_blob(said.blob, f"{path}.inlineData")]
        elif said.file is not None:
            parts = [read_file(said.file, f"{path}.fileData")]
        else:
            return self._read_other(path, signature)
        if self.may_say_more:
            self._keep_rest(path)
        if signature is not None:
            parts.append(self._sign("", signature))
        return parts

    def _as_it_stands(self, path: str) -> Raw:
        if self._parts is None:
            said = ((self._fields[name], name) for name in ("contents", "systemInstruction") if name in self._fields)
            self._parts = {path: part for raw, name in said for path, part in located(raw, name)}
        return self._parts[path]

    def _read_text(self, text: str, thought: bool, signature: str | None) -> list[Part]:
        if thought:
            return [Thinking(text) if signature is None else self._sign(text, signature)]
        if signature is None:
            return [Text(text)]
        return [Text(text), self._sign("", signature)] if text else [self._sign("", signature)]

    def _sign(self, text: str, signature: str) -> Thinking:
        said = unwrap(signature, DIALECT)
        self.has_foreign = self.has_foreign or said.origin != DIALECT
        return Thinking(text, said.signature, said.origin, said.redacted, said.id)

    def _read_call(self, said: CallSaid, signed: str | None, content: int, calls: int) -> ToolCall:
        id = said.id or f"call_{content}_{calls}"
        self._open.setdefault(said.name, deque()).append(id)
        self._done.discard(id)
        self._called.add(id)
        arguments = "{}" if said.args == NULL else text_of(said.args)
        signature = None if signed is None else real(signed)
        if signature is None:
            return ToolCall(id, said.name, arguments)
        whose = unwrap(signature, DIALECT)
        return ToolCall(id, said.name, arguments, whose.signature, whose.origin)

    def _read_result(self, said: ResultSaid, path: str) -> Message:
        answered = self._answered(said)
        response = _NOTHING if said.response == NULL else said.response
        if said.parts is None and (text := plain_result(response)) is not None:  # the usual case
            return Message("tool", (Text(text),), answered)
        path = f"{path}.functionResponse"
        media = [_read_result_part(part, f"{path}.parts[{place}]") for place, part in enumerate(said.parts or ())]
        parts, is_error = read_result(response, f"{path}.response", media)
        return Message("tool", parts, answered, is_error)

    def _answered(self, said: ResultSaid) -> str:
        """The id of the call that this is the result of."""
        found = said.id if said.id in self._called else None
        if found is None:
            waiting = self._open.get(said.name, ())
            while waiting and waiting[0] in self._done:
                waiting.popleft()
            found = waiting[0] if waiting else said.id or said.name
        self._done.add(found)
        return found

    def _read_other(self, path: str, signature: str | None) -> list[Part]:
        """What runs at the provider, and whatever part comes into use tomorrow."""
        raw = self._as_it_stands(path)
        kinds = [name for name in take_object(raw, path) if name not in _KINDLESS]
        if kinds:
            return [Opaque(kinds[0], raw, DIALECT)]
        if signature is None:
            raise RequestInvalid(
                f"`{path}`: the part says nothing.", param=path, hint="Give it `text`, `inlineData` or another content."
            )
        return [self._sign("", signature)]

    def _keep_rest(self, path: str) -> None:
        """What is said about a medium: where a film begins, how closely to look at an image."""
        for name, value in take_object(self._as_it_stands(path), path).items():
            if name not in _SAID_OF_ANY and not is_idle(value):
                self.others[f"{path}.{name}"] = value


def _read_result_part(said: ResultPart, path: str) -> Media:
    if blob := said.blob or said.blob_:
        return read_blob(blob, f"{path}.inlineData")
    if file := said.file or said.file_:
        return read_file(file, f"{path}.fileData")
    raise RequestInvalid(f"`{path}`: the part says nothing.", param=path, hint="Give it `inlineData` or `fileData`.")


# --- reasoning that came in pieces -----------------------------------------------------------------------------------


def _gathered(messages: list[Message]) -> list[Message]:
    """Another provider's reasoning, put together again.

    A stream tells it in pieces, the signature last, and clients give the pieces back as they came: as parts, or as
    contents in a row. The one who signed wants it whole.
    """
    gathered: list[tuple[Message, list[Part]]] = []
    for message in messages:
        if message.role == "assistant" and gathered and gathered[-1][0].role == "assistant":
            gathered[-1][1].extend(message.parts)
        else:
            gathered.append((message, list(message.parts)))
    return [replace(message, parts=_joined(parts)) for message, parts in gathered]


def _joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, Thinking) and part.signature is not None and part.origin != DIALECT and not part.text:
            pieces: list[str] = []
            while joined and isinstance(last := joined[-1], Thinking) and last.signature is None and not part.redacted:
                pieces.append(last.text)
                joined.pop()
            part = replace(part, text="".join(reversed(pieces)))
        joined.append(part)
    return tuple(joined)
