"""An application's side of the demonstration: documents, and what the official `openai` client asks about them.

The client knows an address, a key and the names of two routes. It knows no model and no target, and it stays the same
while those change.
"""

import asyncio
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from fairlead.demo.configuration import TASKS
from fairlead.errors import ExtraMissing
from fairlead.samples.draw import SCHEMAS, samples
from fairlead.samples.sample import SEEN, UNSEEN, Sample

if TYPE_CHECKING:
    from openai import AsyncOpenAI

AT_ONCE = 4
SEED = 4000  # the model cards measure with another one
SCHEMA_EVERY = 5  # one document in so many is asked a second time, with its schema
TIMEOUT_S = 60.0


class Question(Struct, frozen=True):
    """`with_schema`: the answer is bound to the task's JSON schema while it is written."""

    sample: Sample
    with_schema: bool = False


class Answered(Struct, frozen=True):
    """`call` and `target` are the response's headers; `error` is "" where there is an answer."""

    question: Question
    text: str = ""
    call: str = ""
    target: str = ""
    error: str = ""


def questions(count: int) -> list[Question]:
    """`count` held-out documents, a quarter each of both tasks and both splits, mixed; then some anew with a schema."""
    groups = [(task, split) for task in TASKS for split in (SEEN, UNSEEN)]
    sizes = [(count + number) // len(groups) for number in range(len(groups))]
    drawn = [samples(*group, size, SEED) for group, size in zip(groups, sizes, strict=True)]
    longest = max(sizes)
    mixed = list(chain.from_iterable([group[n] for group in drawn if n < len(group)] for n in range(longest)))
    return [Question(one) for one in mixed] + [Question(one, with_schema=True) for one in mixed[::SCHEMA_EVERY]]


def check_client() -> None:
    """Raises ExtraMissing where the client is not installed."""
    if find_spec("openai") is None:
        raise ExtraMissing(
            "the demonstration asks through the official openai client, which is not installed",
            hint="pip install 'fairlead[demo]'",
        )


def open_client(url: str, key: str) -> "AsyncOpenAI":
    """An unchanged client. No retries, so that each request is one call in the books."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    http = DefaultAsyncHttpxClient(trust_env=False)  # a proxy has no business between us and loopback
    return AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=TIMEOUT_S, http_client=http)


async def ask(client: "AsyncOpenAI", question: Question) -> Answered:
    """One request. What goes wrong is told, not raised."""
    from openai import OpenAIError

    sample = question.sample
    extra: dict[str, Any] = {}
    if question.with_schema:
        shape = {"name": sample.task, "schema": SCHEMAS[sample.task], "strict": True}
        extra["response_format"] = {"type": "json_schema", "json_schema": shape}
    messages: Any = sample.messages
    try:
        raw = await client.chat.completions.with_raw_response.create(model=sample.task, messages=messages, **extra)
        completion = raw.parse()
    except OpenAIError as error:
        return Answered(question, error=str(error))
    text = completion.choices[0].message.content or ""
    return Answered(question, text, raw.headers["x-fairlead-call"], raw.headers["x-fairlead-target"])


async def ask_all(
    client: "AsyncOpenAI", asked: Sequence[Question], tell: Callable[[], object] = lambda: None
) -> list[Answered]:
    """All answers, in the order of the questions, four at a time. `tell` is called after each."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(question: Question) -> Answered:
        async with room:
            answered = await ask(client, question)
        tell()
        return answered

    return await asyncio.gather(*(one(question) for question in asked))
