"""What Fairlead does when a provider fails: one row for each fault, in words and as it is tested.

`test_faults.py` plays every row over real TCP, whole and streamed, on a route with one target and on one that falls
back, and holds the product to it. `python -m faults.page` (in tests/) makes docs/faults.md of it.
"""

from typing import Literal, NamedTuple

from msgspec.structs import replace

from fairlead.backends.lines import Line, ScriptedUsage

TEXT = "Never was there a tale of more"
SAID = Line(pieces=("Never", " was", " there", " a", " tale", " of", " more"), usage=ScriptedUsage(9, 7))
RETRIES = 2  # that a route makes where nobody says otherwise
LONG_S, SOON_S = 7.0, 0.05  # waits that a provider asks for

Place = Literal["script", "nobody", "unknown name", "no TLS", "strange authority"]
Way = Literal["whole", "streamed", "buffered", "continued"]
WAYS: tuple[Way, ...] = ("whole", "streamed", "buffered", "continued")


class End(NamedTuple):
    """How the caller's request ends. A stream that had begun has status 200 and then an error event with this code."""

    status: int = 200
    code: str = ""
    attempts: int = 1

    @property
    def words(self) -> str:
        shown = self.code and f"`{self.code}`"
        return str(self.status) if not shown else f"{'200, then' if self.status == 200 else self.status} {shown}"


class Row(NamedTuple):
    """`lines` is what the provider plays, one after the other; `whole` and `stream` how the caller's request ends where
    there is one target, `buffered` a stream's end with `on_break = "buffer"` where that differs. With `"continue"` the
    target is one that goes on with a begun answer, and its next answer is well.

    `next`: whether the next target of a fallback is asked: where the request would fail and no word is out, or though
    asking again would help, or never. `kept`: whether the connection that it happened on is used again: where all of
    a response came, whatever it says. `rests`: whether the target is not asked by the next request.
    """

    name: str
    says: str
    lines: tuple[Line, ...]
    whole: End
    stream: End
    buffered: End | None = None
    next: Literal["failed", "first", "never"] = "failed"
    kept: bool = False
    rests: bool = False
    retry_after_s: float | None = None
    place: Place = "script"

    @property
    def breaks(self) -> bool:
        """A stream does, after words went out."""
        return self.stream.status == 200 and bool(self.stream.code)

    @property
    def mends(self) -> bool:
        """The provider may be well the next time; who can't be reached or does not listen stays so."""
        return self.place == "script" and self.name != "deaf"

    def end(self, way: Way) -> End:
        match way:
            case "whole":
                return self.whole
            case "buffered" if self.buffered is not None:
                return self.buffered
            case "continued" if self.mends and (self.breaks or self.stream.attempts == THRICE):
                return CONTINUED
        return self.stream

    def falls_back(self, way: Way) -> bool:
        end = self.stream if way == "continued" else self.end(way)
        return self.next == "first" or (self.next == "failed" and bool(end.code) and end.status != 200)


ANSWERED = End()
CONTINUED = End(attempts=2)
THRICE = 1 + RETRIES


def again(status: int, code: str) -> End:
    """An error that is asked again as often as may be."""
    return End(status, code, THRICE)


def once(status: int, code: str) -> End:
    return End(status, code)


UNREACHABLE = again(502, "target_unreachable")
UNCLEAR = again(502, "target_unclear")
BROKEN = again(502, "stream_broken")
LATE = once(504, "target_timeout")


def faulty(fault: str, says: str, whole: End, stream: End, buffered: End | None = None, **more: object) -> Row:
    return Row(fault, says, (replace(SAID, fault=fault),), whole, stream, buffered, **more)  # type: ignore[arg-type]


def midway(code: str) -> End:
    """A stream that breaks after words went out."""
    return End(200, code)


ROWS: tuple[Row, ...] = (
    Row("healthy", "nothing goes wrong", (SAID,), ANSWERED, ANSWERED, kept=True),
    # --- errors that are told ---
    Row("429, later", "429 with `Retry-After: 7`, longer than anybody waits here; the target is left alone so long",
        (Line(status=429, retry_after_s=7),),
        once(429, "target_overloaded"), once(429, "target_overloaded"), retry_after_s=LONG_S, kept=True, rests=True),
    Row("429, soon", "429 with a `Retry-After` that is short, then an answer",
        (Line(status=429, retry_after_s=SOON_S), SAID), End(attempts=2), End(attempts=2), kept=True),
    Row("500 once", "500, then an answer", (Line(status=500), SAID), End(attempts=2), End(attempts=2), next="first",
        kept=True),
    Row("503 always", "503, however often it is asked", (Line(status=503),),
        again(502, "target_failed"), again(502, "target_failed"), kept=True),
    Row("401", "our credential is refused", (Line(status=401),),
        once(502, "target_refused"), once(502, "target_refused"), kept=True),
    Row("400", "the caller's request is refused", (Line(status=400, message="no such voice"),),
        once(400, "scripted_400"), once(400, "scripted_400"), next="never", kept=True),
    Row("redirect", "307 to another place", (Line(status=307),), UNCLEAR, UNCLEAR, kept=True),
    Row("content filter", "the answer ends as filtered", (replace(SAID, finish="content_filter"),), ANSWERED, ANSWERED,
        kept=True),
    # --- no connection ---
    Row("refused", "nobody listens", (), UNREACHABLE, UNREACHABLE, place="nobody"),
    Row("DNS failure", "the name has no address", (), UNREACHABLE, UNREACHABLE, place="unknown name"),
    Row("TLS error", "https, and what answers is no TLS", (), UNREACHABLE, UNREACHABLE, place="no TLS"),
    Row("unknown authority", "a certificate of an authority that nobody named", (), UNREACHABLE, UNREACHABLE,
        place="strange authority"),
    # --- nothing is answered ---
    faulty("reset", "the connection is reset before headers", UNREACHABLE, UNREACHABLE),
    faulty("hang_up", "the connection is closed before headers", UNREACHABLE, UNREACHABLE),
    Row("deaf", "it is reset while we still send a large request", (replace(SAID, fault="deaf", when="tell me"),),
        UNREACHABLE, UNREACHABLE),
    faulty("stale", "a kept connection is closed as the next request comes on it, which is asked again at once",
           ANSWERED, ANSWERED),
    faulty("silence", "silence before headers", LATE, LATE),
    faulty("mute", "headers, then silence before the first token", LATE, LATE),
    faulty("trickle", "signs of life without end, and never a word", LATE, LATE),
    # --- an answer that is none ---
    faulty("empty", "a 200 with an empty body", UNCLEAR, BROKEN, kept=True),
    faulty("page", "a 200 with a web page", UNCLEAR, UNCLEAR, kept=True),
    faulty("huge_head", "headers of a megabyte", UNCLEAR, UNCLEAR),
    faulty("two_lengths", "two `content-length` headers that differ", UNCLEAR, UNCLEAR),
    faulty("endless_hints", "provisional responses (103) without end", UNCLEAR, UNCLEAR),
    faulty("gzip", "a compressed body, which nobody asked for", UNCLEAR, UNCLEAR, kept=True),
    faulty("bomb", "the same: a megabyte that would become a gigabyte", UNCLEAR, UNCLEAR, kept=True),
    # --- it breaks in the middle ---
    Row("cut", "the connection is closed in the middle", (replace(SAID, cut_after=3),),
        BROKEN, midway("stream_broken"), BROKEN),
    faulty("torn", "the connection is reset in the middle", BROKEN, midway("stream_broken"), BROKEN),
    Row("stall", "it falls silent in the middle", (replace(SAID, stall_after=3),), LATE, midway("target_timeout"),
        LATE),
    faulty("garbled", "what can't be read stands in the middle", UNCLEAR, midway("stream_broken"), BROKEN, kept=True),
    faulty("bad_chunk", "the framing of the body breaks", UNCLEAR, midway("target_unclear"), UNCLEAR),
    faulty("error_event", "an error stands in the middle of a 200", again(502, "target_failed"),
           midway("target_failed"), again(502, "target_failed"), kept=True),
    faulty("truncated", "JSON or an event that ends in the middle, as if it were whole", UNCLEAR,
           midway("stream_broken"), BROKEN, kept=True),
    faulty("long", "more comes than `content-length` says", UNCLEAR, midway("stream_broken"), BROKEN),
    faulty("no_end", "a stream that ends without `[DONE]` and without a finish", ANSWERED, midway("stream_broken"),
           BROKEN, kept=True),
    # --- it only looks odd ---
    faulty("short", "less comes than `content-length` says", UNCLEAR, ANSWERED),
    faulty("hints", "a few provisional responses (103) first", ANSWERED, ANSWERED, kept=True),
    faulty("drip", "all of it, in the smallest pieces", ANSWERED, ANSWERED, kept=True),
)  # fmt: skip
