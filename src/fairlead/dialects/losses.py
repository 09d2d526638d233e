"""What of a request a language can't say: refused with its path, or left out and told, as the route says.

A writer says what it can't say here and goes on without it. It does not know routes: `lossy` is handed in.
"""

from fairlead.errors import RequestInvalid

# What a caller left with a provider and only refers to: without it, another question would be asked.
KEPT_ELSEWHERE = frozenset(
    {"previous_response_id", "conversation", "prompt", "item_reference", "compaction", "cachedContent", "thread"}
)


class Losses:
    """The losses of one translation. `told` names them, each once, in the order in which they were met."""

    def __init__(self, language: str, *, lossy: bool = False) -> None:
        self._language = language
        self._lossy = lossy
        self._told: dict[str, None] = {}

    @property
    def told(self) -> tuple[str, ...]:
        return tuple(self._told)

    def lose(self, path: str, what: str, hint: str = "") -> None:
        """Leave it out if the route is lossy. Raises RequestInvalid `unsupported_feature` if it is not, and for what is
        KEPT_ELSEWHERE on every route.

        `path` is where it stands in the request, `what` what it is ("several samples").
        """
        is_kept_elsewhere = path in KEPT_ELSEWHERE
        if is_kept_elsewhere:
            hint = "Send the whole conversation; a route with `keep_responses_s` continues responses that it answered."
        if is_kept_elsewhere or not self._lossy:
            raise RequestInvalid(
                f"`{path}`: {what} can't be said to a target that speaks {self._language}.",
                code="unsupported_feature",
                param=path,
                hint=hint or "Leave it out, ask for a route whose targets can, or set `lossy = true` for this one.",
            )
        self._told[path] = None

    def leave(self, path: str) -> None:
        """Left out on every route, and told: it would mean nothing there, like another provider's signature."""
        self._told[path] = None
