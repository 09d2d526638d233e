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

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import replace

from fairlead.chat import Chat, Media, Message, Opaque, Part, Text, Thinking, ToolCall
from fairlead.dialects.conversation import check_tools
from fairlead.dialects.gemini.media import Blob, File, read_blob, read_file
from fairlead.dialects.gemini.names import DIALECT, IDLE, RAWS, camel, camelled
from fairlead.dialects.gemini.results import read_result
from fairlead.dialects.gemini.settings import read_settings
from fairlead.dialects.gemini.signing import signature_of, unwrap
from fairlead.dialects.reading import raw_json, required, take, text_of
from fairlead.errors import RequestInvalid

_ROLES = frozenset({None, "", "user", "model", "function", "tool"})


class _Call(Struct):
    name: str
    id: str | None = None
    args: Raw = Raw(b"null")


class _ResultPart(Struct):
    blob: Blob | None = field(default=None, name="inlineData")
    blob_: Blob | None = field(default=None, name="inline_data")
    file: File | None = field(default=None, name="fileData")
    file_: File | None = field(default=None, name="file_data")


class _Result(Struct):
    name: str
    id: str | None = None
    response: Raw = Raw(b"null")
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
    parts: list[Raw] | dict[str, Raw] | None = None


_PART = msgspec.json.Decoder(_Part)
_CONTENTS = msgspec.json.Decoder(list[_Content] | _Content)
_INSTRUCTION = msgspec.json.Decoder(_Content | str)
_SAID_OF_ANY = frozenset({"text", "inlineData", "fileData", "thought", "thoughtSignature"})
_KINDLESS = frozenset({"thought", "thoughtSignature", "partMetadata"})


def read_chat(fields: dict[str, Raw]) -> Chat:
    """The whole of a request. Raises RequestInvalid with the exact path (`contents[3].parts[1].functionCall.name`)."""
    fields = camelled(fields)
    reading = _Conversation()
    if (instruction := fields.get("systemInstruction")) is not None:
        reading.instruct(take(_INSTRUCTION, instruction, "systemInstruction"))
    for position, content in enumerate(read_contents(fields)):
        reading.add(content, position)
    check_tools(reading.messages, reading.paths)
    messages = _gathered(reading.messages) if reading.has_foreign else reading.messages
    chat = read_settings(fields)
    others = {**chat.others, **reading.others} if reading.others else chat.others
    return replace(chat, messages=tuple(messages), others=others)


def read_contents(fields: dict[str, Raw]) -> list[_Content]:
    """Raises RequestInvalid where there are none."""
    raw = fields.get("contents")
    if raw is None:
        raise required("contents")
    contents = take(_CONTENTS, raw, "contents")
    if isinstance(contents, _Content):
        return [contents]
    if not contents:
        raise required("contents[0]")
    return contents


class _Conversation:
    """The messages so far, and the calls that still wait for their results."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.paths: list[str] = []
        self.others: dict[str, Raw] = {}
        self.has_foreign = False  # a signature of another provider came
        self._open: list[tuple[str, str]] = []  # (id, name) of calls without a result
        self._called: set[str] = set()

    def instruct(self, said: _Content | str) -> None:
        parts: list[Part] = []
        if isinstance(said, str):
            parts.append(Text(said))
        else:
            for raw, path in _raws(said, "systemInstruction"):
                read = self._read(raw, path, 0, 0)
                if isinstance(read, Message):
                    raise RequestInvalid(
                        f"`{path}`: a system prompt can't hold a tool's result.",
                        param=path,
                        hint="Send it in `contents`.",
                    )
                parts += read
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
        for raw, where in _raws(content, path):
            read = self._read(raw, where, position, calls)
            if isinstance(read, Message):
                self.messages.append(read)
                self.paths.append(where)
                results += 1
                continue
            calls += bool(read) and isinstance(read[0], ToolCall)
            parts += read
        if parts or not results:
            self.messages.append(Message("assistant" if content.role == "model" else "user", tuple(parts)))
            self.paths.append(path)

    def _read(self, raw: Raw, path: str, content: int, calls: int) -> "list[Part] | Message":
        said = take(_PART, raw, path)
        signature = signature_of(said.signature, said.signature_)
        if said.text is not None:
            return self._read_text(said.text, bool(said.thought), signature)
        if call := said.call or said.call_:
            return [self._read_call(call, signature, content, calls)]
        if result := said.result or said.result_:
            return self._read_result(result, path)
        if blob := said.blob or said.blob_:
            parts: list[Part] = [read_blob(blob, f"{path}.inlineData")]
        elif file := said.file or said.file_:
            parts = [read_file(file, f"{path}.fileData")]
        else:
            return self._read_other(raw, path, signature)
        self._keep_rest(raw, path)
        if signature is not None:
            parts.append(self._sign("", signature))
        return parts

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

    def _read_call(self, said: _Call, signature: str | None, content: int, calls: int) -> ToolCall:
        id = said.id or f"call_{content}_{calls}"
        self._open.append((id, said.name))
        self._called.add(id)
        arguments = text_of(said.args)
        arguments = "{}" if arguments == "null" else arguments
        if signature is None:
            return ToolCall(id, said.name, arguments)
        signed = unwrap(signature, DIALECT)
        return ToolCall(id, said.name, arguments, signed.signature, signed.origin)

    def _read_result(self, said: _Result, path: str) -> Message:
        path = f"{path}.functionResponse"
        named: dict[str, Media] = {}
        nameless: list[Media] = []
        for position, part in enumerate(said.parts or ()):
            medium = _read_result_part(part, f"{path}.parts[{position}]")
            if medium.name and medium.name not in named:
                named[medium.name] = medium
            else:
                nameless.append(medium)
        response = Raw(b"{}") if bytes(said.response) == b"null" else said.response
        parts, is_error = read_result(response, f"{path}.response", named, nameless)
        return Message("tool", parts, tool_call_id=self._answered(said), is_error=is_error)

    def _answered(self, said: _Result) -> str:
        """The id of the call that this is the result of."""
        found = said.id if said.id in self._called else None
        if found is None:
            found = next((id for id, name in self._open if name == said.name), said.id or said.name)
        self._open = [(id, name) for id, name in self._open if id != found]
        return found

    def _read_other(self, raw: Raw, path: str, signature: str | None) -> list[Part]:
        """What runs at the provider, and whatever part comes into use tomorrow."""
        kinds = [name for name in camelled(take(RAWS, raw, path)) if name not in _KINDLESS]
        if kinds:
            return [Opaque(kinds[0], raw, DIALECT)]
        if signature is None:
            raise RequestInvalid(
                f"`{path}`: the part says nothing.", param=path, hint="Give it `text`, `inlineData` or another content."
            )
        return [self._sign("", signature)]

    def _keep_rest(self, raw: Raw, path: str) -> None:
        """What is said about a medium: where a film begins, how closely to look at an image."""
        for name, value in RAWS.decode(raw).items():
            if camel(name) not in _SAID_OF_ANY and bytes(value) not in IDLE:
                self.others[f"{path}.{camel(name)}"] = value


def _raws(content: _Content, path: str) -> list[tuple[Raw, str]]:
    """Each part with where it stands."""
    parts = content.parts
    if isinstance(parts, dict):
        return [(raw_json(parts), f"{path}.parts")]
    return [(raw, f"{path}.parts[{place}]") for place, raw in enumerate(parts or ())]


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
