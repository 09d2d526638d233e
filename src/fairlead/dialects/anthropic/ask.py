"""Anthropic's language, outwards: a conversation in the house language as a request to the Messages API.

What can't be said is refused with a path, or left out and told where the route allows it; the few things that are let
go are named in `write_request`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from fairlead.chat import Chat
from fairlead.dialects.anthropic.signing import DIALECT
from fairlead.dialects.anthropic.thinking import LEAST_BUDGET_TOKENS, Wish
from fairlead.dialects.anthropic.turns import Block, Turns, write_tool
from fairlead.dialects.claude import Claude, claude_of
from fairlead.dialects.end_users import end_user
from fairlead.dialects.harmless import is_harmless
from fairlead.dialects.losses import Losses
from fairlead.dialects.quirks import narrowed, override, rename_and_drop
from fairlead.dialects.reading import unsayable

LANGUAGE = "Anthropic's API"

# What a request for a count takes; of the rest it takes nothing.
COUNTED = ("model", "messages", "system", "thinking", "tools", "tool_choice", "output_config", "context_management",
           "mcp_servers", "cache_control", "speed")  # fmt: skip
_UNCOUNTED: dict[str, Any] = {
    **dict.fromkeys(("temperature", "top_p", "top_k", "seed", "logprobs", "frequency_penalty", "presence_penalty")),
    "stop": (),
    "samples": 1,
    "user": None,
}
SAMPLING = frozenset({"thinking", "temperature", "top_p", "top_k"})  # what must fit together
_LEAST_TOP_P_WITH_THINKING = 0.95
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
_LONGEST_USER = 256
_ENCODER = msgspec.json.Encoder()

Settle = Callable[[str, str], None]


def write_request(
    chat: Chat,
    *,
    model: str,
    max_output_tokens: int,
    stream: bool,
    params: Mapping[str, Any],
    quirks: Mapping[str, Any],
    losses: Losses,
    origin: str = DIALECT,
) -> bytes:
    """The body of a Messages request.

    | in the house | here |
    |---|---|
    | system messages, wherever they stand | `system` blocks, in order; those amid the turns: see the quirk `system` |
    | messages of one side in a row, tool results | merged into one turn, unless the caller spoke this language |
    | effort | `thinking` and `output_config.effort`; none switches thinking off; no thinking under a forced tool |
    | thinking_tokens | the nearest effort, unless the caller spoke this language; 0 switches thinking off |
    | either of them, to a model of before adaptive thinking | `thinking.budget_tokens` |
    | a JSON schema | `output_config.format` |
    | a tool call with invalid JSON | an object with the text under `invalid_json` |
    | signed thinking | only what `origin` signed; other reasoning is left out, and told |
    | a text document | `source.type` "text" |

    Lost (refused, or left out where the route is lossy): several samples, JSON without a schema, audio, video, files
    elsewhere, log probabilities, penalties, a seed, stop sequences of nothing but white space, a temperature above 1,
    `top_p` beside a temperature, sampling beside thinking, what a model of this name refuses (`dialects/claude.py`:
    sampling, forced tools, an answer to be continued, no thinking), and every other field that the house has no word
    for.
    Left out and told: names of messages, the place of system messages amid the turns, an image's `detail`, the effort
    `minimal` (it becomes `low`), a budget that does not fit or becomes an effort, arguments that are no JSON. Let go:
    name and description of a schema, a temperature or `top_p` of 1, and what is harmless.

    | quirk | default | what it does |
    |---|---|---|
    | `thinking` | by the model's name, else `adaptive` | `budget`: for models before it; `off`: it is not sent at all |
    | `system` | `top` | `inline`: system messages amid the turns stay there, for models that take them |
    | `ignore` | [] | fields of the caller (`n`, `logit_bias`, ...) that are let go instead of refused |
    | `rename` | {} | `{ours = "theirs"}`: send a field under another name |
    | `drop` | [] | fields that are never sent |

    `params` are fields of the Messages API and override the rest; `output_config` and `metadata` are merged.
    """
    limit = narrowed(max_output_tokens, params)
    body: Block = {"model": model, "max_tokens": limit}
    asked = _Asked(chat, losses, origin, quirks, frozenset(quirks.get("ignore", ())), claude_of(model))
    asked.write(body, limit)
    if stream:
        body["stream"] = True
    add_params(body, params)
    if not SAMPLING.isdisjoint(params):
        settle_sampling(body, lambda name, _: losses.leave(name))
    rename_and_drop(body, quirks)
    return _ENCODER.encode(body)


def write_count_request(
    chat: Chat,
    *,
    model: str,
    params: Mapping[str, Any],
    quirks: Mapping[str, Any],
    losses: Losses,
    origin: str = DIALECT,
) -> bytes:
    """The same conversation, as a question for the number of its tokens. How it would be answered is not said."""
    limit = chat.max_output_tokens or LEAST_BUDGET_TOKENS * 16
    body: Block = {"model": model}
    prompt = replace(chat, **_UNCOUNTED)
    asked = _Asked(prompt, losses, origin, quirks, frozenset(quirks.get("ignore", ())), claude_of(model))
    asked.write(body, limit)
    add_params(body, params)
    rename_and_drop(body, quirks)
    return _ENCODER.encode({name: body[name] for name in COUNTED if name in body})


def add_params(body: Block, params: Mapping[str, Any]) -> None:
    """The target's own parameters, over what the caller said."""
    if not params:
        return
    merged = {
        name: {**body[name], **params[name]}
        for name in ("output_config", "metadata")
        if isinstance(body.get(name), dict) and isinstance(params.get(name), Mapping)
    }
    override(body, {**params, **merged})


def settle_sampling(body: Block, lose: Settle) -> None:
    """Leave out what the API refuses in this company."""
    thinking = body.get("thinking")
    if isinstance(thinking, Mapping) and thinking.get("type") in ("adaptive", "enabled"):
        if body.pop("temperature", 1.0) != 1.0:
            lose("temperature", "a temperature beside thinking")
        if body.pop("top_k", None) is not None:
            lose("top_k", "a top_k beside thinking")
        top_p = body.get("top_p")
        if isinstance(top_p, int | float) and top_p < _LEAST_TOP_P_WITH_THINKING:
            lose("top_p", f"a top_p below {_LEAST_TOP_P_WITH_THINKING} beside thinking")
            del body["top_p"]
    if "temperature" in body and "top_p" in body:
        if body["temperature"] == 1.0:
            del body["temperature"]
        elif body.pop("top_p") != 1.0:
            lose("top_p", "a top_p beside a temperature")


class _Asked(Struct, frozen=True):
    """One conversation on its way out."""

    chat: Chat
    losses: Losses
    origin: str
    quirks: Mapping[str, Any]
    ignored: frozenset[str]
    claude: Claude | None  # what is known of the model

    def write(self, body: Block, limit: int) -> None:
        chat = self.chat
        if not any(message.role != "system" for message in chat.messages):
            raise unsayable("messages", "a conversation of system messages alone", LANGUAGE, "Add a user message.")
        self._refuse()
        own = chat.dialect == DIALECT
        inline = own or self.quirks.get("system", "top") == "inline"
        system, turns = Turns(self.losses, self.origin, inline, own).write(chat)
        if not own:
            self._end_on_a_user(turns)
        if not turns:
            raise unsayable("messages", "a conversation in which nobody says anything", LANGUAGE, "Add a user message.")
        if system:
            body["system"] = system
        body["messages"] = turns
        self._write_tools(body)
        Wish(chat, self.claude, self.quirks.get("thinking"), limit, self.losses).write(body)
        self._write_shape(body)
        self._write_sampling(body)
        if chat.user is not None:
            user = chat.user if own else end_user(chat.user, longest=_LONGEST_USER, opaque=True)
            body["metadata"] = {"user_id": user}
        self._write_others(body)
        if self.claude is not None and not self.claude.samples:
            self._leave_sampling(body)
        if not own:  # whoever speaks this language knows what goes together
            settle_sampling(body, self._lose)

    def _lose(self, name: str, what: str, hint: str = "", path: str = "") -> None:
        if name not in self.ignored:
            self.losses.lose(path or name, what, hint)

    def _refuse(self) -> None:
        chat = self.chat
        if chat.samples > 1:
            self._lose("n", "several samples", "Ask once per sample.")
        if chat.shape is not None and chat.shape.mode == "json":
            hint = 'Send a JSON schema (`"type": "json_schema"`).'
            self._lose("response_format", "JSON without a schema", hint)
        if chat.seed is not None:
            self._lose("seed", "a seed")
        if chat.logprobs is not None:
            self._lose("logprobs", "log probabilities")
        for name in ("frequency_penalty", "presence_penalty"):
            if getattr(chat, name):
                self._lose(name, "a penalty")

    def _end_on_a_user(self, turns: list[Block]) -> None:
        """Models of late don't go on with an answer that has been begun."""
        while turns and turns[-1]["role"] == "assistant" and self.claude is not None and not self.claude.continues:
            hint = "End the conversation on a user message, or ask a model that goes on."
            self._lose("messages", "a begun answer to this model", hint)
            turns.pop()

    # --- tools ---

    def _write_tools(self, body: Block) -> None:
        chat = self.chat
        tools: list[Any] = [write_tool(tool) for tool in chat.tools]
        if chat.dialect == DIALECT:
            for place, name, raw in _placed(chat.others, "tools"):
                if not name:
                    tools.insert(min(place, len(tools)), raw)
                elif place < len(tools) and isinstance(tools[place], dict):
                    tools[place][name] = raw
        if not tools:
            return
        body["tools"] = tools
        choice: Block | None = None
        if chat.tool_choice is not None:
            choice = {"type": _CHOICES[chat.tool_choice.mode]}
            if chat.tool_choice.mode == "named":
                choice["name"] = chat.tool_choice.name
            if choice["type"] in ("any", "tool") and self.claude is not None and not self.claude.forces:
                hint = "Leave the choice to the model, or ask an earlier one."
                self._lose("tool_choice", "a forced tool to this model", hint)
                choice = {"type": "auto"}
        if chat.parallel_tool_calls is False:
            choice = choice or {"type": "auto"}
            if choice["type"] != "none":
                choice["disable_parallel_tool_use"] = True
        if choice is not None:
            body["tool_choice"] = choice

    # --- form and sampling ---

    def _write_shape(self, body: Block) -> None:
        shape = self.chat.shape
        if shape is not None and shape.mode == "schema":
            form = {"type": "json_schema", "schema": shape.schema or Raw(b"{}")}
            body.setdefault("output_config", {})["format"] = form

    def _write_sampling(self, body: Block) -> None:
        chat = self.chat
        sequences = [stop for stop in chat.stop if stop.strip()]
        if len(sequences) < len(chat.stop):
            self._lose("stop", "a stop sequence of nothing but white space")
        if sequences:
            body["stop_sequences"] = sequences
        if chat.temperature is not None:
            if chat.temperature > 1:
                self._lose("temperature", "a temperature above 1")
            body["temperature"] = min(chat.temperature, 1.0)
        if chat.top_p is not None:
            body["top_p"] = chat.top_p
        if chat.top_k is not None:
            body["top_k"] = chat.top_k

    def _leave_sampling(self, body: Block) -> None:
        """Models of late take nothing but the default."""
        for name in ("temperature", "top_p", "top_k"):
            if body.pop(name, 1.0) != 1.0:
                self._lose(name, f"a {name} to this model", "The model takes none; leave it out, or say an effort.")

    def _write_others(self, body: Block) -> None:
        """Fields of this language as they stood, from whoever speaks it; of other languages only what does no harm."""
        for path, raw in self.chat.others.items():
            name = path.partition("[")[0].partition(".")[0]
            if self.chat.dialect != DIALECT:
                if not is_harmless(path, raw, self.chat.dialect):
                    self._lose(name, "this field", path=path)
            elif path == name:
                body[name] = raw
            elif name == "output_config":
                body.setdefault(name, {})[path.partition(".")[2]] = raw


def _placed(others: Mapping[str, Raw], name: str) -> list[tuple[int, str, Raw]]:
    """What there is of `name[3]` and `name[3].field`: (3, field or "", value), whole entries first, in their order."""
    found: list[tuple[int, str, Raw]] = []
    for path, raw in others.items():
        begin, bracket, rest = path.partition("[")
        if begin == name and bracket:
            place, _, field = rest.partition("]")
            found.append((int(place), field.removeprefix("."), raw))
    return sorted(found, key=lambda entry: (bool(entry[1]), entry[0]))
