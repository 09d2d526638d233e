"""Answers of a given form: asked for as each target can, checked always, asked for once more where they fail.

`Shaped` stands around the Ask that strategies are given, so that every strategy has this and none knows of it. How a
form is asked for is `dialects/shaping.py`, what is valid `scoring/json_schema.py`; this file decides and keeps the
books honest: a verdict belongs to the attempt that it was passed on, and a repair is an attempt of its own.

What came to its own end (`stop`) is judged. What was cut off, filtered or refused, and a call of the caller's own
tools, is passed on as it is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from fairlead.chat import Answer, Chat, Chunk, Finish, Item, Request, Shape, Stream
from fairlead.dialects import shaping
from fairlead.errors import BudgetExceeded, LimitExceeded, OutputInvalid, RequestInvalid, TargetError
from fairlead.gateway.call import Ask, Backend, Call, Form, Structured, Target
from fairlead.scoring.json_schema import Problem, SchemaInvalid, check_json, compiled

SHAPED = frozenset({"schema", "json"})
HINT = "Ask again, or give the route a target that keeps to schemas."

Check = Callable[[str], Problem | None]


def shaped(ask: Ask, call: Call, backends: Mapping[str, Backend]) -> Ask:
    """The same power over a call that wants no form; else one that keeps to it.

    Raises RequestInvalid where the schema itself can't be used: nothing has been sent then.
    """
    request = call.request
    if request.task != "chat" or SHAPED.isdisjoint(request.needs):
        return ask
    chat = request.chat()
    if chat.shape is None or chat.shape.mode == "text":
        return ask
    return Shaped(ask, call, chat, _check(chat.shape, chat.dialect), backends)


def _check(shape: Shape, dialect: str) -> Check:
    if shape.schema is None:
        return check_json
    try:
        return compiled(bytes(shape.schema)).check
    except SchemaInvalid as error:
        path = shaping.SCHEMA_PATHS.get(dialect, "schema")
        where = f"{path}.{error.where}".replace("..", ".").rstrip(".") if error.where else path
        raise RequestInvalid(
            f"`{where}`: the schema can't be used: {error.message}.", param=where, hint="Send a valid JSON schema."
        ) from None


class Wording(Struct, frozen=True):
    """How one target is asked: what it is sent, and whether its answer is a tool's arguments (`wrapped` or not)."""

    chat: Chat
    request: Request
    by_tool: bool = False
    wrapped: bool = False


class Shaped:
    """An Ask around the Ask. Requests that are not the call's own pass through."""

    def __init__(self, ask: Ask, call: Call, chat: Chat, check: Check, backends: Mapping[str, Backend]) -> None:
        self._ask = ask
        self._call = call
        self._chat = chat
        self._check = check
        self._backends = backends

    async def answer(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Answer:
        """Raises OutputInvalid where the answer was not valid, nor the one to the repair."""
        if request is not self._call.request:
            return await self._ask.answer(target, request, purpose, form)
        wording = self._word(target)
        try:
            return await self._ask.answer(target, wording.request, purpose, self._form(wording))
        except OutputInvalid as invalid:
            if not self._call.route.repair or request.samples > 1:
                raise
            return await self._repair(target, wording, invalid)

    async def stream(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Stream:
        """Raises OutputInvalid instead of telling the end of an answer that is not valid: what is out can't be
        repaired."""
        if request is self._call.request:
            wording = self._word(target)
            request, form = wording.request, self._form(wording)
        async with aclosing(self._ask.stream(target, request, purpose, form)) as items:
            async for item in items:
                yield item

    async def _repair(self, target: Target, wording: Wording, invalid: OutputInvalid) -> Answer:
        chat = shaping.repairing(wording.chat, invalid.said, invalid.problem)
        added = _bytes(invalid.said) + _bytes(invalid.problem) + shaping.INSTRUCTION_TOKENS
        again = _asking_for(wording.request, chat, added)
        try:
            answer = await self._ask.answer(target, again, "repair", self._form(wording))
        except OutputInvalid:
            raise
        except (TargetError, LimitExceeded, BudgetExceeded) as error:
            invalid.message += f", and a repair could not be asked for ({error.code})"
            raise invalid from error
        known = answer.cost_nusd is not None and invalid.cost_nusd is not None
        return replace(answer, cost_nusd=answer.cost_nusd + invalid.cost_nusd if known else None)  # type: ignore[operator]

    def _word(self, target: Target) -> Wording:
        request, chat = self._call.request, self._chat
        match self._way(target):
            case "tool":
                chat = shaping.by_tool(chat)
                # A schema that is wrapped is longer: its references are.
                longer = sum(len(tool.parameters or b"") for tool in chat.tools) - _schema_bytes(self._chat.shape)
                asked = _asking_for(request, chat, shaping.INSTRUCTION_TOKENS + max(0, longer))
                return Wording(chat, asked, by_tool=True, wrapped=shaping.is_wrapped(self._chat.shape))
            case "prompt":
                chat = shaping.by_prompt(chat)
                return Wording(chat, _asking_for(request, chat, shaping.INSTRUCTION_TOKENS))
        return Wording(chat, request)

    def _way(self, target: Target) -> Structured:
        """As the operator says, else as the model can; a caller's own tools leave no room for ours."""
        can, shape = target.can, self._chat.shape
        way: Structured = target.structured or "native"
        if target.structured is None and shape is not None and shape.mode == "schema" and can and can.schema is False:
            way = "prompt" if can.tools is False else "tool"
        if way == "native" and shape is not None and shape.mode == "json":
            dialect = self._backends[target.backend].dialect
            way = "prompt" if dialect in shaping.WITHOUT_JSON_MODE else "native"
        return "prompt" if way == "tool" and self._chat.tools else way

    def _form(self, wording: Wording) -> "Checked":
        return _checked(self._check, wording)


def _bytes(text: str) -> int:
    """Which are the bound of its tokens; its letters are none."""
    return len(text.encode("utf-8", "surrogatepass"))


def _schema_bytes(shape: Shape | None) -> int:
    return 0 if shape is None or shape.schema is None else len(shape.schema)


def _asking_for(request: Request, chat: Chat, added: int) -> Request:
    """The same request in other words; `added` bounds the tokens that they have more."""
    bound = None if request.input_bound is None else request.input_bound + added
    needs = (request.needs - SHAPED) | ({"tools"} if chat.tools else frozenset())
    return replace(
        request,
        spoken=None,
        read=lambda: chat,
        needs=needs,
        input_bound=bound,
        input_bytes=request.input_bytes + added,
    )


def _checked(check: Check, wording: Wording) -> "Checked":
    return Checked(check, shaping.FromTool(wrapped=wording.wrapped) if wording.by_tool else None, wording)


class _Choice(Struct):
    """One choice of a stream, as far as it came."""

    text: str = ""
    finish: Finish | None = None
    refused: bool = False


class Checked:
    """The `Form` of one attempt. Of a stream it passes the words on and holds the end back until it is judged."""

    def __init__(self, check: Check, turning: shaping.FromTool | None, wording: Wording) -> None:
        self.verdict = ""
        self._check = check
        self._turning = turning
        self._wording = wording
        self._choices: dict[int, _Choice] = {}
        self._held: list[Item] = []

    def answered(self, answer: Answer) -> Answer:
        if self._turning is not None:
            answer = shaping.from_tool(answer, wrapped=self._wording.wrapped)
        for said in answer.said:
            self._judge(_Choice(said.text or "", said.finish, said.refusal is not None))
        return answer

    def take(self, item: Item) -> Iterator[Item]:
        for turned in (item,) if self._turning is None else self._turning.take(item):
            ends = False
            if isinstance(turned, Chunk):
                choice = self._choices.setdefault(turned.index, _Choice())
                choice.text += turned.text
                choice.refused |= bool(turned.refusal)
                choice.finish = turned.finish or choice.finish
                ends = not turned.words or turned.finish is not None
            if any(choice.finish for choice in self._choices.values()) and (ends or not isinstance(turned, Chunk)):
                self._held.append(turned)
            else:
                yield turned

    def end(self) -> Iterable[Item]:
        for choice in self._choices.values():
            self._judge(choice)
        return self._held

    def anew(self) -> "Checked":
        return _checked(self._check, self._wording)

    def _judge(self, choice: _Choice) -> None:
        if choice.finish != "stop" or choice.refused:
            return
        problem = self._check(choice.text)
        if problem is None:
            self.verdict = "valid"
            return
        self.verdict = "invalid"
        broken = "it is no JSON" if problem.rule == "json" else f"it breaks `{problem.rule}`"
        raise OutputInvalid(
            f"the answer has not the form that was asked for: {broken}",
            hint=HINT,
            said=choice.text,
            problem=problem.words,
            rule=problem.rule,
            schema_path=problem.where or None,
        )
