"""What every client's test asks for, and what the stand-in says to it (`standin/mind.py`)."""

import base64
import hashlib

from pydantic import BaseModel

GREETING = "Hello from the other side, in nine words or so."
THOUGHT = "They want to know something. Let me see."
QUESTION = "How is the weather in Paris?"
QUESTION_OF_TWO = "How is the weather in Paris and in Rome?"
TOO_MUCH = "Is this too much?"  # the provider answers 429
IMPOSSIBLE = "Is this impossible?"  # 400
BREAK_OFF = "Please break off."  # a stream ends without its end
SLOWLY = "Hello, and take your time."  # several heartbeats of the gateway come before the first word
TOO_MUCH_SLOWLY = "Is this too much? Please take your time."
WEATHER = "18 degrees and rain"
DESCRIPTION = "The weather in a city."
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
ROUTES = tuple(f"over-{language}" for language in ("openai", "responses", "anthropic", "gemini", "bedrock"))
MARKED_TOKENS = 10  # what the stand-in counts for each mark of the cache

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"


class City(BaseModel):
    """A city and how many people live there."""

    name: str
    people: int


CITY = City(name="Paris", people=7)


def weather(city: str) -> str:
    """The weather in a city."""
    return f"{WEATHER} in {city}"


ANSWERED = f"The tool says: {WEATHER} in Paris"
ANSWERED_OF_TWO = f"{ANSWERED} and {WEATHER} in Rome"


def seen(media_type: str, data: bytes) -> str:
    """How the stand-in tells what it was shown."""
    return f"{media_type} {hashlib.blake2b(data, digest_size=4).hexdigest()}"


SEEN_PNG = f"I see {seen('image/png', PNG)}."
SEEN_PDF = f"I see {seen('application/pdf', PDF)}."

# What a target of each language signs, (thoughts, calls): in a turn that calls a tool, and in one of words alone.
_SIGNED = {
    "over-openai": ((1, 0), (1, 0)),
    "over-responses": ((1, 0), (1, 0)),
    "over-anthropic": ((2, 0), (2, 0)),
    "over-gemini": ((0, 1), (1, 0)),
    "over-bedrock": ((2, 0), (2, 0)),
}


def remembers(route: str, *, spoke: bool = False) -> str:
    """What the stand-in adds if a conversation came back with all that it had signed: in the turn that called a tool,
    and in the one that answered then (`spoke`)."""
    (thoughts, calls), (more_thoughts, more_calls) = _SIGNED[route]
    if spoke:
        thoughts, calls = thoughts + more_thoughts, calls + more_calls
    return f" I remember {thoughts} thoughts and {calls} calls."
