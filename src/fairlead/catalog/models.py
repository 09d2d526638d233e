"""What a model at a provider can do, from dated rows in a file (`data/models.json`).

The file is generated (see `model_lists.py`) and read here when first asked. What nobody says of a model is not known:
neither that it can nor that it can't. What an operator knows better stands in his configuration, not here.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from fairlead.catalog.prices import dashed, shipped_prices
from fairlead.errors import ConfigInvalid

SHIPPED = Path(__file__).parent / "data" / "models.json"
MEDIA = ("image", "audio", "video", "document")  # that it takes
FEATURES = (*MEDIA, "tools", "schema", "thinking")

CHAT = ("chat",)
FIRST = (0,)

_REGION = re.compile(r"^(?:global|us|us-gov|eu|apac|au|jp|ca|sa|me|af)\.(?=[a-z0-9-]+\.)")
_SUFFIX = re.compile(r"(?:[-@:](?:latest|20\d\d-?[01]\d-?[0-3]\d|v\d+:\d+|free|nitro|floor|online|default))+$")


class Facts(Struct, frozen=True, omit_defaults=True):
    """A model. `can` and `cannot` name FEATURES; what is in neither is not known.

    `context` is tokens of prompt and answer together, `prompt` those of the prompt alone where they are fewer, `output`
    those of an answer. `cutoff` is how far its knowledge goes (2024-09, or a day); `open_weights` whether its licence
    lets others serve it. `updated` is when this was last seen to, `sources` which lists say so, by their place.
    """

    id: str
    tasks: tuple[str, ...] = CHAT
    can: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    context: int | None = None
    prompt: int | None = None
    output: int | None = None
    cutoff: str = ""
    open_weights: bool | None = None
    updated: str = ""
    sources: tuple[int, ...] = FIRST


class Seller(Struct, frozen=True):
    id: str
    models: tuple[Facts, ...]


class Source(Struct, frozen=True):
    """A list that facts were taken from: its name with its version, and what allows that."""

    name: str
    licence: str


class ModelList(Struct, frozen=True):
    """A whole file: `updated` is the day it was made (UTC). Providers are named as in the price list."""

    sources: tuple[Source, ...]
    updated: str
    providers: tuple[Seller, ...]


class Models:
    """A list of models, ready to be asked."""

    def __init__(self, listed: ModelList) -> None:
        self.sources = listed.sources
        self.updated = listed.updated
        self._sellers = {seller.id: {facts.id.lower(): facts for facts in seller.models} for seller in listed.providers}
        self._stems = {id: _by_stem(models) for id, models in self._sellers.items()}

    def all(self) -> Iterator[tuple[str, Facts]]:
        """Every provider's name with every model of it."""
        for provider, models in self._sellers.items():
            for facts in models.values():
                yield provider, facts

    def find(self, provider: str, model: str) -> Facts | None:
        """What is known of `model`, by whatever name requests may call it. None: nothing.

        A name with a date or a region is the same model where only the bare name is listed, and the other way round.
        """
        prices = shipped_prices()
        names = [model, *filter(None, [prices.listed_as(provider, model)])]
        for seller in map(_listed_seller, prices.sellers(provider)):
            known, stems = self._sellers.get(seller, {}), self._stems.get(seller, {})
            for name in names if known else ():
                lowered = name.lower().removeprefix("models/")
                found = known.get(lowered) or known.get(dashed(lowered)) or stems.get(stem_of(lowered))
                if found is not None:
                    return found
        return None


@cache
def shipped_models() -> Models:
    """The list of models that comes with the program."""
    return load_models(SHIPPED)


def load_models(path: Path) -> Models:
    """Raises ConfigInvalid where the file is missing or is no list of models."""
    try:
        return Models(msgspec.json.decode(path.read_bytes(), type=ModelList))
    except (OSError, msgspec.DecodeError) as error:
        hint = "make it anew: fairlead catalog update --models FILE"
        raise ConfigInvalid(f"{path} is no list of models: {error}", hint=hint, file=str(path)) from error


def find_model(provider: str, model: str) -> Facts | None:
    """What is known of `model` at `provider` (a name of the price list, such as `openai`). None: nothing."""
    return shipped_models().find(provider, model)


def _listed_seller(provider: str) -> str:
    """Hugging Face passes on to others, each with prices of its own; what their models can do is listed once."""
    return "huggingface" if provider.startswith("huggingface_") else provider


def _by_stem(models: dict[str, Facts]) -> dict[str, Facts]:
    """Of several with one stem the bare name counts, else the latest."""
    stems: dict[str, Facts] = {}
    for name in sorted(models):
        if stems.get(stem_of(name), models[name]).id.lower() != stem_of(name):
            stems[stem_of(name)] = models[name]
        else:
            stems.setdefault(stem_of(name), models[name])
    return stems


def without_region(name: str) -> str:
    """Bedrock's `us.` and the like, which say where a model is served."""
    return _REGION.sub("", name)


def stem_of(name: str) -> str:
    """A name without region, date or anything else that says which of the same model."""
    return _SUFFIX.sub("", without_region(name))
