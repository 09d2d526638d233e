"""What callers asked becomes cases: whatever their language, without duplicates, and no further away than it was."""

import asyncio
import json
from typing import Any

import pytest

from fairlead.evals.cases import read_case
from fairlead.evals.collecting import Collection, Recording, Spoken, collect

Recordings = dict[str, Recording | None]
WORDS = "what do you say about the {n} question of number {n} that {n} people ask"


def openai(text: str, **more: Any) -> bytes:
    messages = [{"role": "system", "content": "You are the same for all " * 20}, {"role": "user", "content": text}]
    return json.dumps({"model": "kept", "messages": messages, "temperature": 0, **more}).encode()


def answered(text: str) -> bytes:
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        }
    ).encode()


def collected(recordings: Recordings, count: int = 100, **options: Any) -> tuple[Collection, list[str]]:
    read: list[str] = []

    async def one(call: str) -> Recording | None:
        read.append(call)
        return recordings[call]

    calls = [Spoken(name, "kept", f"session of {name[0]}") for name in recordings]
    return asyncio.run(collect(calls, one, count=count, **options)), read


MANY: Recordings = {
    f"{'ab'[n % 2]}{n:03}": Recording(openai(WORDS.format(n=n)), answered(f"answer {n}"), "contract") for n in range(50)
}


def test_a_call_becomes_a_case() -> None:
    found, _ = collected({"a1": Recording(openai("Hello there"), answered("Hi!"), "private")})
    [row] = found.cases
    assert [message["role"] for message in row["messages"]] == ["system", "user"]
    assert row["messages"][1]["content"] == "Hello there"
    assert (row["id"], row["gold"], row["tags"]) == ("a1", {"recorded": "Hi!"}, ["kept"])
    assert "session" not in row["cluster"]
    assert read_case(row).messages


def test_a_sample_is_drawn_by_its_seed_and_no_more_is_read_than_it_takes() -> None:
    first, read = collected(MANY, 10)
    assert len(first.cases) == len(read) == 10
    assert collected(MANY, 10)[0].cases == first.cases
    assert collected(MANY, 10, seed=1)[0].cases != first.cases
    assert len({case["cluster"] for case in collected(MANY)[0].cases}) == 2


def test_near_duplicates_are_one_case_however_long_the_system_message_is_that_all_share() -> None:
    again: Recordings = {f"c{n}": Recording(openai(WORDS.format(n=1) + "!" * n), b"", "contract") for n in range(5)}
    found, _ = collected(MANY | again)
    assert (len(found.cases), found.duplicates) == (50, 5)


def test_the_narrowest_zone_binds_all() -> None:
    mixed: Recordings = {
        "a": Recording(openai("one thing here"), b"", "public"),
        "b": Recording(openai("another"), b"", "contract"),
    }
    assert collected(mixed)[0].zone == "contract"
    assert collected(mixed | {"c": Recording(openai("and a third"), b"", "private")})[0].zone == "private"


def test_what_is_left_out_is_counted() -> None:
    image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    recordings: Recordings = {
        "a": None,
        "b": Recording(b"no json", b"", "private"),
        "c": Recording(json.dumps({"messages": [{"role": "user", "content": image}]}).encode(), b"", "private"),
        "d": Recording(b"", answered("x"), "private"),
        "e": Recording(openai("the only one"), b"no json", "private"),
    }
    found, _ = collected(recordings)
    assert (len(found.cases), found.not_recorded, found.unreadable, found.with_media) == (1, 2, 1, 1)
    assert "gold" not in found.cases[0]


def test_words_are_scrubbed_and_what_was_found_is_counted() -> None:
    said = openai("I am ann@example.com, call +41 44 668 18 00")
    found, _ = collected({"a": Recording(said, answered("Dear ann@example.com"), "private")})
    assert found.cases[0]["messages"][1]["content"] == "I am [email-1], call [phone-1]"
    assert found.cases[0]["gold"] == {"recorded": "Dear [email-1]"}
    assert found.scrubbed == {"email": 1, "phone": 1}


USER = [{"role": "user", "content": "Hello"}]
LANGUAGES = {
    "anthropic": (
        {"model": "m", "max_tokens": 9, "system": "Be kind.", "messages": USER},
        {
            "id": "x",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "Hi!"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        },
    ),
    "responses": (
        {"model": "m", "instructions": "Be kind.", "input": "Hello"},
        {
            "id": "x",
            "object": "response",
            "status": "completed",
            "model": "m",
            "output": [
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi!"}]},
            ],
        },
    ),
    "gemini": (
        {
            "systemInstruction": {"parts": [{"text": "Be kind."}]},
            "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        },
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi!"}]}, "finishReason": "STOP"}]},
    ),
    "bedrock": (
        {"system": [{"text": "Be kind."}], "messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "Hi!"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        },
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_becomes_the_same_case(language: str) -> None:
    request, answer = (json.dumps(part).encode() for part in LANGUAGES[language])
    found, _ = collected({"a": Recording(request, answer, "private")})
    [row] = found.cases
    assert [message["role"].replace("developer", "system") for message in row["messages"]] == ["system", "user"]
    assert [message["content"] for message in row["messages"]] == ["Be kind.", "Hello"]
    assert row["gold"] == {"recorded": "Hi!"}


def test_a_streamed_answer_is_read_like_a_whole_one() -> None:
    pieces = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("Hi", " there")]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    stream = "".join(f"data: {json.dumps({'id': 'x', 'model': 'm', **piece})}\n\n" for piece in [*pieces, end])
    recording = Recording(openai("Hello", stream=True), f"{stream}data: [DONE]\n\n".encode(), "private")
    assert collected({"a": recording})[0].cases[0]["gold"] == {"recorded": "Hi there"}
