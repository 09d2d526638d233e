"""What a recorded answer costs by what Fairlead read of its usage, and by what genai-prices reads in it."""

from datetime import UTC, datetime

import genai_prices
from msgspec.structs import replace

from conformance.records import Record
from fairlead.catalog.prices import find_price
from fairlead.chat import Usage
from fairlead.money import NUSD, cost_nusd

# Who answered -> genai-prices' name; and its flavour of each API.
SELLERS = {"gemini": "google", "vertex": "google", "bedrock": "aws", "xai": "x-ai", "moonshotai": "moonshotai"}
FLAVORS = {"openai.chat": ("chat", "default"), "openai.responses": ("responses",), "openai.embeddings": ("embeddings",),
           "anthropic.messages": ("default", "anthropic"), "gemini.generateContent": ("default", "gemini"),
           "bedrock.converse": ("default", "converse")}  # fmt: skip


def _as_read(usage: Usage, seller: str) -> Usage:
    """Without counts that genai-prices has rates for and does not read: Google's searches, the cached tokens of Mistral
    and Moonshot. They are in the books, and billed."""
    match seller:
        case "google":
            return replace(usage, details={k: v for k, v in usage.details.items() if k != "web_searches"})
        case "mistral" | "moonshotai":
            return replace(usage, cache_read=0)
    return usage


def differs(record: Record, usage: Usage | None) -> str | None:
    """ "" if they are equal to the nano-dollar; None where genai-prices has no figure."""
    seller = SELLERS.get(record.provider, record.provider)
    for flavor in FLAVORS.get(record.api, ()):
        try:
            found = genai_prices.extract_usage(record.answered, provider_id=seller, api_flavor=flavor)
            wanted = found.calc_price().total_price
        except (LookupError, ValueError, AttributeError):
            continue
        if not wanted:  # it knows the model, and no rate of it
            return None
        now_us = int(datetime.now(UTC).timestamp() * 1_000_000)
        price = found.model and find_price(seller, found.model.id, now_us)
        usage = usage and _as_read(usage, seller)
        ours = cost_nusd(price, usage) if price and usage else None
        if ours is None or abs(wanted * NUSD - ours) > 1:
            said = "unknown" if ours is None else f"{ours / NUSD:.9f}"
            return f"{seller} {found.model and found.model.id}: {said} instead of {wanted}"
        return ""
    return None
