"""The lines of a script: what the scripted backend says or does wrong, read from TOML and checked to the last key.

    [[lines]]
    when = "invoice|Rechnung"            # found in the last user text; without it: when no other line fits
    text = '{"vendor": "Kral"}'          # what is said; or
    # echo = true                        # what the user said last, after the text; or
    tool_calls = [{ name = "look_up", arguments = { id = 7 } }]
    reasoning = "Let me see."
    pieces = ['{"vendor"', ': "Kral"}']  # how a stream cuts the text; default: word by word
    latency_s = 0.2                      # before the first word
    delay_s = 0.01                       # between pieces
    finish = "stop"                      # or length, tool_calls, content_filter
    usage = { input = 12, output = 7 }   # or "none"; default: words are counted as tokens

    [[lines]]                            # a line may have one fault
    status = 429                         # the target answers with an error status
    retry_after_s = 2
    # refuse = true                      # nobody listens
    # timeout = "first_token"            # a deadline passes: connect, first_token, between_tokens or total
    # malformed = true                   # the answer can't be read
    # cut_after = 3                      # the stream breaks after so many pieces
    # stall_after = 3                    # the stream falls silent after so many, until a deadline passes
    # fault = "garbled"                  # something goes wrong on the wire; `faults.py` has the words

It plays nothing itself: that is `script.py`, and `standin/` over TCP.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from fairlead.backends.faults import FAULTS, Fault, Wrong
from fairlead.chat import Finish, ToolCall, Usage
from fairlead.errors import ConfigInvalid

Stage = Literal["connect", "first_token", "between_tokens", "total"]
FAULTY = ("status", "timeout", "cut_after", "stall_after", "fault")  # each of them, where it is said


class ScriptedCall(Struct, frozen=True, forbid_unknown_fields=True):
    """`arguments`: a table, or text as a model would write it (it may be broken JSON)."""

    name: str
    arguments: dict[str, Any] | str = {}
    id: str = ""

    def said(self, number: int) -> ToolCall:
        text = self.arguments if isinstance(self.arguments, str) else msgspec.json.encode(self.arguments).decode()
        return ToolCall(self.id or f"call_{number}", self.name, text)


class ScriptedUsage(Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens, as in `chat.Usage`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a script; the keys are shown at the top of this file."""

    when: str = ""
    text: str | None = None
    echo: bool = False
    tool_calls: tuple[ScriptedCall, ...] = ()
    reasoning: str | None = None
    pieces: tuple[str, ...] = ()
    latency_s: float = 0.0
    delay_s: float = 0.0
    finish: Finish | None = None
    usage: ScriptedUsage | Literal["none"] | None = None
    status: int | None = None
    message: str = ""
    retry_after_s: float | None = None
    refuse: bool = False
    timeout: Stage | None = None
    malformed: bool = False
    cut_after: int | None = None
    stall_after: int | None = None
    fault: Wrong | None = None

    def heard(self, last: str) -> "Line":
        """The line as it is said to somebody who said this last."""
        if not self.echo:
            return self
        return msgspec.structs.replace(self, echo=False, text=(self.whole or "") + last, pieces=())

    @property
    def fault_row(self) -> Fault:
        """What its fault does. Only for a line that has one."""
        assert self.fault is not None
        return FAULTS[self.fault]

    @property
    def whole(self) -> str | None:
        """The text, however it was written."""
        return "".join(self.pieces) if self.pieces else self.text

    @property
    def cuts(self) -> tuple[str, ...]:
        """The text as a stream says it."""
        return self.pieces or tuple(re.findall(r"\s*\S+\s*$|\s*\S+|\s+", self.text or ""))

    @property
    def end(self) -> Finish:
        return self.finish or ("tool_calls" if self.tool_calls else "stop")

    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(call.said(number) for number, call in enumerate(self.tool_calls))

    def used(self, prompt: str) -> Usage | None:
        """None where the script says so, as some providers tell no usage."""
        if self.usage == "none":
            return None
        if self.usage is not None:
            return Usage(**msgspec.structs.asdict(self.usage))
        said = " ".join([self.reasoning or "", self.whole or "", *(call.arguments for call in self.calls())])
        return Usage(input=len(prompt.split()), output=max(len(said.split()), 1))


class _Script(Struct, frozen=True, forbid_unknown_fields=True):
    lines: tuple[Line, ...] = ()


def load(path: str) -> tuple[Line, ...]:
    """The lines of a TOML file. Raises ConfigInvalid, naming file and path, for whatever is wrong with it."""
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        lines = msgspec.convert(tables, _Script).lines
    except OSError as why:
        raise ConfigInvalid(f"the script {path} can't be read: {why.strerror}", file=path, path="") from why
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise ConfigInvalid(f"the script {path} is not TOML: {why}", file=path, path="") from why
    except msgspec.ValidationError as why:
        said, _, at = str(why).partition(" - at `$")
        at = at.rstrip("`").lstrip(".")
        raise ConfigInvalid(f"{path}: {at or 'lines'}: {said}", file=path, path=at) from None
    return check(lines, path)


def check(lines: tuple[Line, ...], file: str = "") -> tuple[Line, ...]:
    """The same lines, if they make sense. Raises ConfigInvalid."""
    if not lines:
        raise _wrong(file, "lines", "a script needs at least one line")
    for number, line in enumerate(lines):
        _check_line(line, file, f"lines[{number}]")
    return lines


def _check_line(line: Line, file: str, path: str) -> None:
    try:
        re.compile(line.when)
    except re.error as why:
        raise _wrong(file, f"{path}.when", f"not a regular expression: {why}") from None
    faults = [name for name in FAULTY if getattr(line, name) is not None]
    faults += [name for name in ("refuse", "malformed") if getattr(line, name)]
    if len(faults) > 1:
        raise _wrong(file, f"{path}.{faults[1]}", f"a line has one fault, and this one has {faults[0]} already")
    says = line.text is not None or line.echo or line.pieces or line.tool_calls or line.reasoning is not None
    if not says and line.finish is None and (not faults or _needs_words(line)):
        raise _wrong(file, path, "the line says nothing: give it text, tool_calls, a finish or a fault")
    if line.pieces and line.text is not None and "".join(line.pieces) != line.text:
        raise _wrong(file, f"{path}.pieces", "put together, they are not the text")
    if line.status is not None and not 300 <= line.status <= 599:
        raise _wrong(file, f"{path}.status", "an error has a status from 300 to 599")
    for name in ("latency_s", "delay_s", "retry_after_s", "cut_after", "stall_after"):
        if (getattr(line, name) or 0) < 0:
            raise _wrong(file, f"{path}.{name}", "can't be negative")


def _needs_words(line: Line) -> bool:
    """Whether a line with a fault has something to say as well: before it, or in spite of it."""
    if line.fault is None:
        return line.cut_after is not None or line.stall_after is not None
    return not (line.fault_row.answer and line.fault_row.stream) or line.fault_row.at != "start"


def _wrong(file: str, path: str, what: str) -> ConfigInvalid:
    return ConfigInvalid(f"{file or 'script'}: {path}: {what}", file=file, path=path)
