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

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from fairlead.chat import Chat, Media, Message, Opaque, Part, Text, Thinking, ToolCall
from fairlead.dialects.conversation import check_tools
from fairlead.dialects.gemini.media import Blob, File, read_blob, read_file
from fairlead.dialects.gemini.names import DIALECT, NULL, camelled, is_idle, take_object
from fairlead.dialects.gemini.results import read_result
from fairlead.dialects.gemini.settings import read_settings
from fairlead.dialects.gemini.signing import real, unwrap
from fairlead.dialects.reading import UNREADABLE, required, take, text_of
from fairlead.errors import RequestInvalid

_ROLES = frozenset({None, "", "user", "model", "function", "tool"})


class _Call(Struct):
    name: str
    id: str | None = None
    args: Raw = NULL


class _ResultPart(Struct):
    blob: Blob | None = field(default=None, name="inlineData")
    blob_: Blob | None = field(default=None, name="inline_data")
    file: File | None = field(default=None, name="fileData")
    file_: File | None = field(default=None, name="file_data")


class _Result(Struct):
    name: str
    id: str | None = None
    response: Raw = NULL
    parts: list[_ResultPart] | None = None


class _Part(Struct):
    """A part, in both spellings; which fields are set says of what kind it is."""

    text: str | None = None
    thought: bool | None = None
    signature: str | None = field(default=None, name="thoughtSignature")
    signature_: str | None = field(default=None, name="thought_signature")
    call: _Call | None = field(default=None, name="functionCall")
    call_: _Call | None = field(default=None, name="function_call")
    result: _Result | None = field(default=None, name="functionResponse")
    result_: _Result | None = field(default=None, name="function_response")
    blob: Blob | None = field(default=None, name="inlineData")
    blob_: Blob | None = field(default=None, name="inline_data")
    file: File | None = field(default=None, name="fileData")
    file_: File | None = field(default=None, name="file_data")


class _Content(Struct):
    """Google's servers take one part, or one content, where a list of them is due."""

    role: str | None = None
    parts: list[_Part] | _Part | None = None


_NOTHING = Raw(b"{}")
_PART = msgspec.json.Decoder(_Part)
_CONTENTS = msgspec.json.Decoder(list[_Content] | _Content)
_INSTRUCTION = msgspec.json.Decoder(_Content | str)
_LIST_OR_ONE = msgspec.json.Decoder(list[Raw] | dict[str, Raw])
_SAID_OF_ANY = frozenset({"text", "inlineData", "fileData", "thought", "thoughtSignature"})
_KINDLESS = frozenset({"thought", "thoughtSignature", "partMetadata"})


def read_chat(fields: dict[str, Raw]) -> Chat:
    """The whole of a request. Raises RequestInvalid with the exact path (`contents[3].parts[1].functionCall.name`)."""
    fields = camelled(fields)
    reading = _Conversation(fields)
    if "systemInstruction" in fields:
        reading.instruct()
    for position, content in enumerate(_read_contents(fields)):
        reading.add(content, position)
    check_tools(reading.messages, reading.paths)
    messages = _gathered(reading.messages) if reading.has_foreign else reading.messages
    words = read_settings(fields)
    words["others"].update(reading.others)
    return Chat(messages=tuple(messages), dialect=DIALECT, **words)


def _read_contents(fields: dict[str, Raw]) -> list[_Content]:
    raw = fields.get("contents")
    if raw is None:
        raise required("contents")
    try:
        contents = _CONTENTS.decode(raw)
    except UNREADABLE:
        for path, part in _located(raw, "contents"):  # what is wrong, and where exactly
            take(_PART, part, path)
        contents = take(_CONTENTS, raw, "contents")
    if isinstance(contents, _Content):
        return [contents]
    if not contents:
        raise required("contents[0]")
    return contents


def _located(raw: Raw, path: str) -> Iterator[tuple[str, Raw]]:
    """Every part of contents, as it stands, with its path."""
    contents = take(_LIST_OR_ONE, raw, path)
    for place, content in enumerate([raw] if isinstance(contents, dict) else contents):
        at = path if path == "systemInstruction" else f"{path}[{place}]"
        if (parts := take_object(content, at).get("parts")) is None:
            continue
        found = take(_LIST_OR_ONE, parts, f"{at}.parts")
        if isinstance(found, dict):
            yield f"{at}.parts", parts
        else:
            yield from ((f"{at}.parts[{place}]", part) for place, part in enumerate(found))


class _Conversation:
    """The messages so far, and the calls that still wait for their results."""

    def __init__(self, fields: dict[str, Raw]) -> None:
        self.messages: list[Message] = []
        self.paths: list[str] = []
        self.others: dict[str, Raw] = {}
        self.has_foreign = False  # a signature of another provider came
        self._fields = fields
        self._parts: dict[str, Raw] | None = None  # by path, as they stand; looked for when first asked
        self._open: list[tuple[str, str]] = []  # (id, name) of calls without a result
        self._called: set[str] = set()

    def instruct(self) -> None:
        said = take(_INSTRUCTION, self._fields["systemInstruction"], "systemInstruction")
        parts: list[Part] = []
        if isinstance(said, str):
            parts.append(Text(said))
        else:
            for place, part in enumerate(_parts_of(said)):
                path = _path("systemInstruction", said, place)
                if part.result or part.result_:
                    raise RequestInvalid(
                        f"`{path}`: a system prompt can't hold a tool's result.",
                        param=path,
                        hint="Send it in `contents`.",
                    )
                parts += self._read(part, path)
        if parts:
            self.messages.append(Message("system", tuple(parts)))
            self.paths.append("systemInstruction")

    def add(self, content: _Content, position: int) -> None:
        """One content: the results in it are messages of their own, before the rest."""
        path = f"contents[{position}]"
        if content.role not in _ROLES:
            raise RequestInvalid(
                f"`{path}.role`: {content.role!r} is neither `user` nor `model`.",
                param=f"{path}.role",
                hint="A system prompt belongs into `systemInstruction`.",
            )
        parts: list[Part] = []
        results = calls = 0
        for place, said in enumerate(_parts_of(content)):
            text = said.text
            if text is not None and not said.thought and said.signature is None and said.signature_ is None:
                parts.append(Text(text))
            elif result := said.result or said.result_:
                where = _path(path, content, place)
                self.messages.append(self._read_result(result, f"{where}.functionResponse"))
                self.paths.append(where)
                results += 1
            elif text is None and (call := said.call or said.call_):
                parts.append(self._read_call(call, said, position, calls))
                calls += 1
            else:
                parts += self._read(said, _path(path, content, place))
        if parts or not results:
            self.messages.append(Message("assistant" if content.role == "model" else "user", tuple(parts)))
            self.paths.append(path)

    def _read(self, said: _Part, path: str) -> list[Part]:
        """All parts but calls and results."""
        signature = real(said.signature or said.signature_)
        if said.text is not None:
            return self._read_text(said.text, bool(said.thought), signature)
        if blob := said.blob or said.blob_:
            parts: list[Part] = [read_blob(blob, f"{path}.inlineData")]
        elif file := said.file or said.file_:
            parts = [read_file(file, f"{path}.fileData")]
        else:
            return self._read_other(path, signature)
        self._keep_rest(path)
        if signature is not None:
            parts.append(self._sign("", signature))
        return parts

    def _as_it_stands(self, path: str) -> Raw:
        if self._parts is None:
            said = ((self._fields[name], name) for name in ("contents", "systemInstruction") if name in self._fields)
            self._parts = {path: part for raw, name in said for path, part in _located(raw, name)}
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

    def _read_call(self, said: _Call, part: _Part, content: int, calls: int) -> ToolCall:
        id = said.id or f"call_{content}_{calls}"
        self._open.append((id, said.name))
        self._called.add(id)
        arguments = "{}" if said.args == NULL else text_of(said.args)
        signature = real(part.signature or part.signature_)
        if signature is None:
            return ToolCall(id, said.name, arguments)
        signed = unwrap(signature, DIALECT)
        return ToolCall(id, said.name, arguments, signed.signature, signed.origin)

    def _read_result(self, said: _Result, path: str) -> Message:
        media = [_read_result_part(part, f"{path}.parts[{place}]") for place, part in enumerate(said.parts or ())]
        response = _NOTHING if said.response == NULL else said.response
        parts, is_error = read_result(response, f"{path}.response", media)
        return Message("tool", parts, tool_call_id=self._answered(said), is_error=is_error)

    def _answered(self, said: _Result) -> str:
        """The id of the call that this is the result of."""
        found = said.id if said.id in self._called else None
        if found is None:
            found = next((id for id, name in self._open if name == said.name), said.id or said.name)
        self._open = [(id, name) for id, name in self._open if id != found]
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


def _parts_of(content: _Content) -> Sequence[_Part]:
    parts = content.parts
    return (parts,) if isinstance(parts, _Part) else parts or ()


def _path(path: str, content: _Content, place: int) -> str:
    """Where a part of the content at `path` stands."""
    return f"{path}.parts" if isinstance(content.parts, _Part) else f"{path}.parts[{place}]"


def _read_result_part(said: _ResultPart, path: str) -> Media:
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
    gathered: list[Message] = []
    for message in messages:
        if message.role == "assistant" and gathered and gathered[-1].role == "assistant":
            message = replace(message, parts=gathered.pop().parts + message.parts)
        gathered.append(message)
    return [replace(message, parts=_joined(message.parts)) for message in gathered]


def _joined(parts: tuple[Part, ...]) -> tuple[Part, ...]:
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
