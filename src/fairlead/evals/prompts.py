"""Prompts as versioned files: text with `{variables}`, in parts by who says them, and a hash that names the version.

    --- system ---
    Read the invoice. Answer in JSON like {"total": 12.5}.
    --- user ---
    {text}

A file without such lines is one user message. `{name}` stands for a variable of the case; all other braces are text,
and `{{name}}` is the text `{name}`. A case that brings messages of its own says them after the prompt's; the prompt's
system message then takes the place of the case's own. Knows no models and no answers.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.errors import SuiteInvalid
from fairlead.evals.cases import Case

ROLES = ("system", "user", "assistant")
_PART = re.compile(r"^--- (\w+) ---[ \t]*$", re.MULTILINE)
_NAME = re.compile(r"\{\{([a-z_]\w*)\}\}|\{([a-z_]\w*)\}", re.IGNORECASE)


class Part(Struct, frozen=True):
    role: str
    text: str


class Prompt(Struct, frozen=True):
    """`hash` is of the file's bytes as they lie there; `source` the file, for errors."""

    name: str
    source: str
    parts: tuple[Part, ...]
    hash: str

    @property
    def variables(self) -> tuple[str, ...]:
        found = dict.fromkeys(match[2] for part in self.parts for match in _NAME.finditer(part.text) if match[2])
        return tuple(found)

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.parts)


AS_IT_IS = Prompt("", "", (), hashlib.sha256(b"").hexdigest()[:16])
"""Of a suite without prompts: each case says its own messages."""


def read_prompt(path: Path, name: str = "") -> Prompt:
    """Raises SuiteInvalid."""
    try:
        data = path.read_bytes()
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteInvalid(f"{path}: the prompt can't be read: {error}", file=str(path)) from error
    pieces = _PART.split(text)
    if pieces[0].strip() and len(pieces) > 1:
        raise SuiteInvalid(f"{path}: text before the first part", hint="begin with a line `--- system ---`")
    if len(pieces) == 1:
        pieces = ["", "user", text]
    parts = tuple(Part(role, said.strip()) for role, said in zip(pieces[1::2], pieces[2::2], strict=True))
    for part in parts:
        if part.role not in ROLES:
            raise SuiteInvalid(f"{path}: nobody is called `{part.role}`", hint=f"one of {', '.join(ROLES)}")
    if not any(part.text for part in parts):
        raise SuiteInvalid(f"{path}: the prompt is empty", file=str(path))
    return Prompt(name or path.stem, str(path), parts, hashlib.sha256(data).hexdigest()[:16])


def messages(prompt: Prompt, case: Case) -> list[dict[str, Any]]:
    """What is said first: the prompt's parts with the case's variables in them, then its own messages.

    Raises SuiteInvalid for a variable that the case does not have.
    """
    said: list[dict[str, Any]] = [
        {"role": part.role, "content": _filled(prompt, part.text, case)} for part in prompt.parts if part.text
    ]
    own = list(case.messages)
    if any(part.role == "system" for part in prompt.parts):
        own = [message for message in own if message["role"] not in ("system", "developer")]
    return [*said, *(dict(message) for message in own)]


def check(prompt: Prompt, cases: Iterable[Case]) -> None:
    """That each case has what the prompt names, and that the prompt says something of each. Raises SuiteInvalid."""
    variables = prompt.variables
    for case in cases:
        if not (variables or case.messages or case.turns or case.user):
            raise SuiteInvalid(
                f"{prompt.source or 'no prompt'}: nothing of case {case.id!r} would be said",
                hint=f"name its variables in the prompt: {', '.join(f'{{{name}}}' for name in case.vars)}",
            )
        for name in variables:
            if name not in case.vars:
                raise _missing(prompt, name, case)


def _filled(prompt: Prompt, text: str, case: Case) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:-1]
        if match[2] not in case.vars:
            raise _missing(prompt, match[2], case)
        return written(case.vars[match[2]])

    return _NAME.sub(value, text)


def written(value: Any) -> str:
    """Text as it is, lists of texts as lines, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return msgspec.json.encode(value).decode()


def _missing(prompt: Prompt, name: str, case: Case) -> SuiteInvalid:
    known: Mapping[str, Any] = case.vars
    return SuiteInvalid(
        f"{prompt.source}: case {case.id!r} has no variable `{name}`",
        hint=f"it has {', '.join(known) or 'none'}; write {{{{{name}}}}} where the braces are meant as text",
        file=prompt.source,
    )
