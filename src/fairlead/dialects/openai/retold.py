"""OpenAI's language: the few of a caller's own words that a quirk changes on the way to a target which speaks it too.

Only fields that a quirk names are looked into; within a message every other value stays byte for byte.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.chat import Chat
from fairlead.dialects.losses import Losses
from fairlead.dialects.openai.ids import Nine
from fairlead.dialects.openai.language import LANGUAGE
from fairlead.dialects.openai.thinking import NAMES, read_asked, write_asked
from fairlead.dialects.reading import is_null, take

_SYSTEM_ROLES = frozenset({b'"system"', b'"developer"'})
_REASONING = ("reasoning", "reasoning_content", "reasoning_details")
_REASONED = b'"reasoning'  # how each of them begins

_MESSAGES = msgspec.json.Decoder(list[dict[str, Raw]])
_CALLS = msgspec.json.Decoder(list[dict[str, Raw]])
_STRING = msgspec.json.Decoder(str)


def retell(fields: dict[str, Any], limit: int, quirks: Mapping[str, Any]) -> None:
    """Changes what the quirks say in the top level of a chat request. `limit` is that of its output."""
    if "reasoning" in quirks and not NAMES.isdisjoint(fields):
        _retell_thinking(fields, limit, quirks["reasoning"])
    nine = quirks.get("tool_ids") == "mistral9"
    role = quirks.get("system_role")
    said = fields.get("messages")
    if not isinstance(said, Raw):
        return
    forgets = not quirks.get("returns_reasoning", True) and _REASONED in bytes(said)
    if nine or role or forgets:
        messages = take(_MESSAGES, said, "messages")
        ids = Nine() if nine else None
        fields["messages"] = [_retold(said, f"messages[{at}]", ids, role, forgets) for at, said in enumerate(messages)]


def _retell_thinking(fields: dict[str, Any], limit: int, mode: str) -> None:
    asked = read_asked(fields)
    chat = Chat(messages=(), effort=asked.effort, thinking_tokens=asked.tokens, shows_thinking=asked.shows)
    said = write_asked(chat, limit, mode, Losses(LANGUAGE))
    for name in NAMES - asked.unread:
        fields.pop(name, None)
    if mode == "off":
        for name in asked.unread:
            fields.pop(name, None)
    fields.update((name, value) for name, value in said.items() if name not in fields)


def _retold(message: dict[str, Any], path: str, nine: Nine | None, role: str | None, forgets: bool) -> dict[str, Any]:
    if role is not None and bytes(message.get("role", b"")) in _SYSTEM_ROLES:
        message["role"] = role
    if forgets:
        for name in _REASONING:
            message.pop(name, None)
    if nine is not None:
        calls, result = message.get("tool_calls"), message.get("tool_call_id")
        if calls is not None and not is_null(calls):
            path = f"{path}.tool_calls"
            said = take(_CALLS, calls, path)
            message["tool_calls"] = [_renamed(call, f"{path}[{at}].id", nine) for at, call in enumerate(said)]
        if result is not None and not is_null(result):
            message["tool_call_id"] = nine.of_result(take(_STRING, result, f"{path}.tool_call_id"))
    return message


def _renamed(call: dict[str, Any], path: str, nine: Nine) -> dict[str, Any]:
    call["id"] = nine.of_call(take(_STRING, call["id"], path) if "id" in call else "")
    return call
