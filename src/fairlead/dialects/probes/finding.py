"""What becomes of each probe between two languages. It knows all languages and none of their words."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from fairlead.chat import Answer, Chat, Embed, Item, Said
from fairlead.dialects import anthropic, bedrock, gemini, openai, responses
from fairlead.dialects.losses import Losses
from fairlead.dialects.probes.answering import AnswerProbe, answer_probes, told
from fairlead.dialects.probes.asking import LIMIT, EmbedProbe, Probe, embed_probes, request_probes
from fairlead.dialects.probes.returning import foreign_probes, give_back, own_probes
from fairlead.dialects.reading import read_fields
from fairlead.dialects.retelling import gathered
from fairlead.errors import RequestInvalid

LANGUAGES: tuple[ModuleType, ...] = (openai, responses, anthropic, gemini, bedrock)
# Where a language is spoken by many, what a target must be set to so that it takes all that there is a word for.
QUIRKS: dict[str, dict[str, Any]] = {"openai": {"cache_control": True}, "responses": {"cache_breakpoints": True}}
# A language in which every maker's models are asked is probed with one of Claude's.
MODELS = {"bedrock": "anthropic.claude-sonnet-4-6"}

Topic = Literal["request", "answer", "stream", "return", "embedding"]
Fate = Literal["kept", "refused", "left out", "let go", "no word", "changed"]
Split = Callable[[str, bytes], Iterable[tuple[str, bytes]]]  # (language, a whole stream) -> its events


class Finding(Struct, frozen=True):
    """What became of one probe between two languages.

    kept: the same afterwards. refused: before anything is sent; left out and told where the route is lossy.
    left out: and told, on every route. let go: left out without a word. no word: who would say it has no word for it,
    a caller for what is asked, a target for what is answered. changed: said otherwise, and not told.
    """

    topic: Topic
    probe: str
    caller: str
    target: str
    fate: Fate


def request_findings(probes: Sequence[Probe] | None = None) -> list[Finding]:
    return [
        Finding("request", probe.name, caller.DIALECT, target.DIALECT, _request_fate(probe, caller, target))
        for probe in (request_probes() if probes is None else probes)
        for caller in LANGUAGES
        for target in LANGUAGES
    ]


def answer_findings() -> list[Finding]:
    """Of whole answers."""
    return [
        Finding("answer", probe.name, caller.DIALECT, target.DIALECT, _answer_fate(probe, caller, target, _repeated))
        for probe in answer_probes()
        for caller in LANGUAGES
        for target in LANGUAGES
    ]


def stream_findings(split: Split) -> list[Finding]:
    """Of the same answers as streams. How bytes become events is not known down here: `split` does it."""

    def streamed(answer: Answer, language: ModuleType) -> Answer:
        return _streamed(answer, language, split)

    return [
        Finding("stream", probe.name, caller.DIALECT, target.DIALECT, _answer_fate(probe, caller, target, streamed))
        for probe in answer_probes()
        for caller in LANGUAGES
        for target in LANGUAGES
    ]


def return_findings() -> list[Finding]:
    """Of what was signed, told to the caller and sent back with the next turn."""
    fates = [(probe, _own_return_fate) for probe in own_probes()] + [
        (probe, _return_fate) for probe in foreign_probes()
    ]
    return [
        Finding("return", probe.name, caller.DIALECT, target.DIALECT, fate(probe, caller, target))
        for probe, fate in fates
        for caller in LANGUAGES
        for target in LANGUAGES
    ]


def embedding_findings() -> list[Finding]:
    languages = [language for language in LANGUAGES if "embed" in language.TASKS]
    return [
        Finding("embedding", probe.name, caller.DIALECT, target.DIALECT, _embed_fate(probe, caller, target))
        for probe in embed_probes()
        for caller in languages
        for target in languages
    ]


# --- requests --------------------------------------------------------------------------------------------------------


def said_in(language: ModuleType, chat: Chat, losses: Losses | None = None) -> bytes:
    """A conversation as the body of a request. Raises RequestInvalid for what can't be said."""
    return language.write_request(
        chat,
        model=MODELS.get(language.DIALECT, "model"),
        max_output_tokens=chat.max_output_tokens or LIMIT,
        stream=False,
        params={},
        quirks=QUIRKS.get(language.DIALECT, {}),
        losses=losses or Losses(language.LANGUAGE),
    )


def _request_fate(probe: Probe, caller: ModuleType, target: ModuleType) -> Fate:
    chat = probe.said(caller.DIALECT)
    try:
        spoken = said_in(caller, chat)
    except RequestInvalid:
        return "no word"
    asked = caller.read_chat(read_fields(spoken))
    if probe.of(asked) != probe.of(chat):
        return "no word"
    return _fate(probe.of, asked, target)


def _fate(of: Callable[[Chat], Any], asked: Chat, target: ModuleType) -> Fate:
    losses = Losses(target.LANGUAGE)
    try:
        body = said_in(target, asked, losses)
    except RequestInvalid:
        return "refused"
    arrived = target.read_chat(read_fields(body))
    if of(arrived) == of(asked):
        return "kept"
    if losses.told:
        return "left out"
    return "changed" if of(arrived) else "let go"


def _own_return_fate(probe: AnswerProbe, caller: ModuleType, target: ModuleType) -> Fate:
    """What a target doesn't take back from a caller who speaks its own language, it has no word for."""
    answer = probe.answer(target.DIALECT)
    if probe.of(_repeated(answer, target)) != probe.of(answer) or _return_fate(probe, target, target) != "kept":
        return "no word"
    return _return_fate(probe, caller, target)


def _return_fate(probe: AnswerProbe, caller: ModuleType, target: ModuleType) -> Fate:
    """As callers do it: what they were told is put into the next request as it stands."""
    came = _repeated(probe.answer(target.DIALECT), target)
    spoken = caller.write_answer(replace(came, spoken=None), created=0)
    return _fate(_of_assistant(probe), caller.read_chat(give_back(caller, said_in, spoken)), target)


def _of_assistant(probe: AnswerProbe) -> Callable[[Chat], Any]:
    return lambda chat: [probe.of(answer) for answer in _assistants(chat)]


def _assistants(chat: Chat) -> Iterator[Answer]:
    for message in chat.messages:
        if message.role == "assistant":
            yield Answer(said=(Said(message.parts),))


# --- answers ---------------------------------------------------------------------------------------------------------


def _answer_fate(
    probe: AnswerProbe, caller: ModuleType, target: ModuleType, through: Callable[[Answer, ModuleType], Answer]
) -> Fate:
    answer = probe.answer(target.DIALECT)
    came = through(answer, target)
    if probe.of(came) != probe.of(answer):
        return "no word"
    heard = probe.of(through(came, caller))
    if heard == probe.of(came):
        return "kept"
    return "changed" if _is_other(heard, probe.of(came)) else "let go"


def _is_other(heard: Any, said: Any) -> bool:
    """Whether something else was heard than what was said, and not just less or nothing of it."""
    if isinstance(heard, list) and isinstance(said, list):
        return any(one not in said for one in heard)
    if isinstance(heard, int) and isinstance(said, int):
        return heard > said
    return bool(heard)


def _repeated(answer: Answer, language: ModuleType) -> Answer:
    """Written and read again, without what was spoken: a language would pass its own on."""
    body = language.write_answer(replace(answer, spoken=None), created=0)
    return language.read_answer(body, full=True)


def _streamed(answer: Answer, language: ModuleType, split: Split) -> Answer:
    writer = language.StreamWriter(model="model", created=0, include_usage=True)
    body = b"".join([writer.write(item) for item in told(answer)]) + writer.end()
    reader = language.StreamReader(full=True, samples=len(answer.said))
    items: list[Item] = [item for event, data in split(language.DIALECT, body) for item in reader.read(event, data)]
    items += reader.close()
    return gathered(items)


# --- embeddings ------------------------------------------------------------------------------------------------------


def _embedded(language: ModuleType, embed: Embed, losses: Losses) -> Embed:
    body = language.write_embed(embed, model="model", params={}, quirks={}, losses=losses)
    return language.read_embed(read_fields(body))


def _embed_fate(probe: EmbedProbe, caller: ModuleType, target: ModuleType) -> Fate:
    try:
        asked = _embedded(caller, probe.embed, Losses(caller.LANGUAGE))
    except RequestInvalid:
        return "no word"
    if probe.of(asked) != probe.of(probe.embed):
        return "no word"
    losses = Losses(target.LANGUAGE)
    try:
        arrived = _embedded(target, asked, losses)
    except RequestInvalid:
        return "refused"
    if probe.of(arrived) == probe.of(asked):
        return "kept"
    if losses.told:
        return "left out"
    return "changed" if probe.of(arrived) else "let go"
