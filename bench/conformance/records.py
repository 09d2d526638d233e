"""Reads recorded HTTP interactions: gzip'd JSON lines, one interaction each (request and response, either may lack)."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

from fairlead.chat import Task
from fairlead.dialects import anthropic, bedrock, gemini, openai, rerank, responses

# Which language and task an interaction is in. What is not here is not served, with its reason in NOT_SERVED.
SERVED: dict[str, tuple[ModuleType, Task]] = {
    "openai.chat": (openai, "chat"),
    "openai.completions": (openai, "complete"),
    "openai.embeddings": (openai, "embed"),
    "voyage.embeddings": (openai, "embed"),
    "openai.responses": (responses, "chat"),
    "openai.responses.input_tokens": (responses, "count"),
    "anthropic.messages": (anthropic, "chat"),
    "anthropic.count_tokens": (anthropic, "count"),
    "gemini.generateContent": (gemini, "chat"),
    "gemini.embeddings": (gemini, "embed"),
    "gemini.countTokens": (gemini, "count"),
    "bedrock.converse": (bedrock, "chat"),
    "bedrock.count_tokens": (bedrock, "count"),
    "cohere.rerank": (rerank, "rerank"),
    "rerank": (rerank, "rerank"),
}
NOT_SERVED: dict[str, str] = {
    "openai.audio": "speech and transcription have no route of their own",
    "openai.images": "image generation has no route of its own",
    "openai.models": "the list of models is the gateway's own: its routes",
    "anthropic.models": "the list of models is the gateway's own: its routes",
    "openai.other": "files, batches, moderation and the like are asked of the provider",
    "openai.responses.compact": "compaction is a task of the provider's own",
    "openai.responses.other": "stored responses and conversations of the provider's own",
    "anthropic.other": "files, batches and models of the provider's own",
    "gemini.interactions": "an API beside generateContent, in preview",
    "gemini.other": "files, caches and models of the provider's own",
    "gemini.cachedContents": "caches of the provider's own",
    "bedrock.invoke": "each model's own format at one path; Converse is the common one",
    "bedrock.rerank": "an API of Bedrock agents, signed for another service",
    "cohere.chat": "Cohere is asked in OpenAI's language, which it also speaks",
    "vertex.predict": "Vertex's older API of embeddings; embedContent is the common one",
    "cohere.embed": "Cohere is asked in OpenAI's language, which it also speaks",
}


@dataclass
class Record:
    id: str
    api: str
    provider: str
    stream: bool
    notes: list[str]
    path: str
    asked: Any  # the request's body, None where there is none
    status: int
    headers: dict[str, str]
    answered: Any  # the response's body as JSON, None where it is none
    raw: bytes  # the response's body as bytes
    features: list[str] = field(default_factory=list)

    @property
    def language(self) -> ModuleType:
        return SERVED[self.api][0]

    @property
    def task(self) -> Task:
        return SERVED[self.api][1]

    @property
    def model(self) -> str | None:
        """In the path, where the language has it there."""
        path = unquote(urlsplit(self.path).path)
        if self.language is gemini and "/models/" in path:
            return path.rpartition("/models/")[2].rpartition(":")[0]
        if self.language is bedrock and "/model/" in path:
            return path.rpartition("/model/")[2].rpartition("/")[0]
        return None


def read(folder: Path) -> Iterator[Record]:
    """All interactions of a folder, file by file."""
    for path in sorted(folder.glob("*.jsonl.gz")):
        if path.name != "usages.jsonl.gz":
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    record = _record(json.loads(line))
                    yield replace(record, api="vertex.predict") if ":predict" in record.path else record


def _record(said: dict[str, Any]) -> Record:
    request, response = said.get("request") or {}, said.get("response") or {}
    answered = response.get("body")
    raw = b"" if answered is None else json.dumps(answered, ensure_ascii=False).encode()
    if "body_b64" in response:
        raw = base64.b64decode(response["body_b64"])
    elif "body_text" in response:
        raw = response["body_text"].encode()
    return Record(
        id=said["id"],
        api=said["api"],
        provider=said.get("provider", ""),
        stream=bool(said.get("stream")),
        notes=said.get("notes") or [],
        path=request.get("path") or "",
        asked=request.get("body"),
        status=response.get("status") or 0,
        headers=response.get("headers") or {},
        answered=answered,
        raw=raw,
        features=said.get("features") or [],
    )
