"""What every client's test asks for: one tool, one shape, and the words that make the stand-in use them."""

from pydantic import BaseModel

QUESTION = "How is the weather in Paris?"
GREETING = "Hello from the other side, in nine words or so."
WEATHER = "18 degrees and rain"
DESCRIPTION = "The weather in a city."
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


class City(BaseModel):
    """A city and how many people live there."""

    name: str
    people: int


CITY = City(name="Paris", people=7)


def weather(city: str) -> str:
    """The weather in a city."""
    return f"{WEATHER} in {city}"


ANSWERED = f"The tool says: {WEATHER} in Paris"
