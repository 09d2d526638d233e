"""Who can do what is asked: a target whose model is known not to see, hear, call tools or do the task is not asked.

What nobody says of a model rules nothing out, and neither does a JSON schema, which is emulated where a model knows
none. What a model can do is the catalog's and the operator's word; this file only compares.
"""

from msgspec.structs import replace

from fairlead.chat import Request
from fairlead.errors import RequestInvalid
from fairlead.gateway.call import GENERATING, Call, Capabilities, Target
from fairlead.gateway.elsewhere import routes_that

BYTES_PER_TOKEN = 8  # of a request's body: hardly any text has tokens as long as that on average
LACKING = {  # a need, or a task: how it is said that a model does not serve it
    "image": "takes no images",
    "audio": "takes no audio",
    "video": "takes no video",
    "document": "takes no documents",
    "tools": "has no tools",
    "thinking": "does not think aloud",
    "chat": "does not chat",
    "complete": "completes no text",
    "embed": "makes no embeddings",
    "rerank": "ranks nothing",
    "count": "counts no tokens",
}
SERVED_BY = {"complete": ("complete", "chat"), "count": ("chat",)}  # a task that other tasks' models serve as well


def capability(call: Call) -> Call:
    """Keep the targets that can do what the request asks. Raises RequestInvalid where none is left.

    A prompt that is too long for some is left to the others; where it is too long for all, their providers say so.
    """
    for target in call.targets:
        if target.can is not None and _is_in_question(call.request, target.can):
            return _compared(call)
    return call


def _is_in_question(request: Request, can: Capabilities) -> bool:
    """Of nearly all requests nothing is asked that every model can't do: those pay for no more than this."""
    asked = request.max_output_tokens
    return bool(
        request.needs
        or (can.tasks is not None and request.task not in can.tasks)
        or (can.context_tokens is not None and request.input_bytes > can.context_tokens * BYTES_PER_TOKEN)
        or (asked is not None and can.max_output_tokens is not None and asked > can.max_output_tokens)
    )


def _compared(call: Call) -> Call:
    lacks = {target.name: lack for target in call.targets if (lack := _lack(call, target)) is not None}
    able = tuple(target for target in call.targets if target.name not in lacks) if lacks else call.targets
    if not able:
        raise _refusal(call, lacks)
    fitting = tuple(target for target in able if not _is_too_long(call, target))
    short = () if len(fitting) in (0, len(able)) else tuple(target for target in able if target not in fitting)
    notes = [f"capability: {name} {LACKING[lack]}" for name, lack in lacks.items()]
    notes += [f"capability: {target.name} takes no prompt as long as this" for target in short]
    able = fitting if short else able
    notes += [
        f"capability: {target.name} answers with {target.can.max_output_tokens} tokens at most"
        for target in able
        if target.can is not None and _is_capped(call, target.can)
    ]
    return replace(call, targets=able, narrowed=(*call.narrowed, *notes)) if notes else call


def _lack(call: Call, target: Target) -> str | None:
    """The first thing that is asked and that the target is known not to do."""
    can, request = target.can, call.request
    if can is None:
        return None
    if can.tasks is not None and can.tasks.isdisjoint(SERVED_BY.get(request.task, (request.task,))):
        return request.task
    for need in sorted(request.needs) if request.needs else ():
        is_dispensable = need == "thinking" and call.route.lossy
        if need in LACKING and not is_dispensable and getattr(can, need) is False:
            return need
    return None


def _is_too_long(call: Call, target: Target) -> bool:
    """Surely, going by the bytes of a request that is text alone."""
    request = call.request
    if target.can is None or target.can.context_tokens is None or request.input_bound is None:
        return False
    return request.task in GENERATING and request.input_bytes > target.can.context_tokens * BYTES_PER_TOKEN


def _is_capped(call: Call, can: Capabilities) -> bool:
    asked, most = call.request.max_output_tokens, can.max_output_tokens
    return asked is not None and most is not None and call.request.task in GENERATING and asked > most


def _refusal(call: Call, lacks: dict[str, str]) -> RequestInvalid:
    reasons = "; ".join(f"{name} {LACKING[lack]}" for name, lack in lacks.items())
    outside = [one.name for one in call.route.targets if one not in call.targets and _lack(call, one) is None]
    hints = []
    if outside:
        hints.append(f"{', '.join(outside)} of this route can, but may not be asked in zone {call.zone!r}")
    if elsewhere := routes_that(call, lambda route, target: _lack(replace(call, route=route), target) is None):
        hints.append(f"routes that can: {', '.join(elsewhere)}")
    if not hints:
        hints.append(f"if one of them can, say so in [targets.{next(iter(lacks))}.can]")
    return RequestInvalid(
        f"no target of route {call.route.name!r} can do what is asked: {reasons}",
        hint="; ".join(hints),
        code="unsupported_feature",
        param="model",
    )
