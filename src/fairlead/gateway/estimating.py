"""Tokens where a target did not count them, or not to the end: from what was sent and from what came.

Estimates settle what was cut off or never told; they are marked as such. It knows no price and no budget.
"""

from msgspec import Struct
from msgspec.structs import replace

from fairlead.chat import Chunk, Media, Request, Usage
from fairlead.gateway.policies.media import MODALITIES, parts

BYTES_PER_TOKEN = 4  # of English text in common vocabularies
MEDIUM_TOKENS = 1000  # about what an image, a page or half a minute of sound takes; its bytes tell nothing


class Words(Struct):
    """The words of a stream as they pass by.

    Events that go on as they came are not taken apart: the shortest shows what stands around a word, what others have
    more is words. Each holds a token at least.
    """

    chunks: int = 0
    said: int = 0  # bytes
    events: int = 0
    spoken: int = 0  # bytes
    shortest: int = 2**31

    def add(self, chunk: Chunk) -> None:
        spoken = chunk.spoken
        if spoken is not None and not chunk.text and not chunk.reasoning:
            size = len(spoken)
            self.events += 1
            self.spoken += size
            if size < self.shortest:
                self.shortest = size
            return
        self.chunks += 1
        self.said += len(chunk.text) + len(chunk.reasoning) + len(chunk.refusal)
        if chunk.tool is not None:
            self.said += len(chunk.tool.arguments)

    @property
    def tokens(self) -> int:
        more = (self.spoken - self.events * self.shortest) // BYTES_PER_TOKEN
        return max(self.chunks, -(-self.said // BYTES_PER_TOKEN)) + self.events + more


def of_answer(request: Request, size: int) -> Usage:
    """Where a whole answer of so many bytes came without a count."""
    return Usage(input=_input(request), output=-(-size // BYTES_PER_TOKEN), estimated=True)


def of_stream(request: Request, words: Words, counted: Usage | None, most: int) -> Usage:
    """Where a stream was cut off. `counted` is what the target had counted by then; `most` what it could say."""
    output = min(words.tokens, most)
    if counted is None:
        return Usage(input=_input(request), output=output, estimated=True)
    return replace(counted, output=max(counted.output, output), estimated=True, spoken=None)


def _input(request: Request) -> int:
    """Data of media are no text."""
    if request.needs.isdisjoint(MODALITIES):
        return -(-request.input_bytes // BYTES_PER_TOKEN)
    media = [part for part in parts(request) if isinstance(part, Media)]
    text = max(0, request.input_bytes - sum(len(one.data or "") for one in media))
    return -(-text // BYTES_PER_TOKEN) + len(media) * MEDIUM_TOKENS
