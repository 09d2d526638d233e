"""One target after the other, until one answers; in a stream, until one says its first word.

Once a word is out there is no switch to another model: the caller would read two voices as one.
"""

from contextlib import aclosing

from fairlead.chat import Answer, Chunk, Item, Stream
from fairlead.errors import AllTargetsFailed, TargetError
from fairlead.gateway.call import Ask, Call


class Fallback:
    async def answer(self, call: Call, ask: Ask) -> Answer:
        failures: list[TargetError] = []
        for target in call.targets:
            try:
                return await ask.answer(target, call.request)
            except TargetError as error:
                failures.append(_passing(error))
        raise _all_failed(call, failures)

    async def stream(self, call: Call, ask: Ask) -> Stream:
        failures: list[TargetError] = []
        for target in call.targets:
            async with aclosing(ask.stream(target, call.request)) as items:
                early: list[Item] = []
                try:
                    async for item in items:
                        early.append(item)
                        if isinstance(item, Chunk) and item.words:
                            break
                except TargetError as error:
                    failures.append(_passing(error))
                    continue
                for item in early:
                    yield item
                async for item in items:
                    yield item
                return
        raise _all_failed(call, failures)


def _passing(error: TargetError) -> TargetError:
    """The error, if another target may do better; the caller's own mistake is raised at once."""
    if not error.retryable:
        raise error
    return error


def _all_failed(call: Call, failures: list[TargetError]) -> Exception:
    if len(failures) == 1:
        return failures[0]
    told = "; ".join(f"{failure.target}: {failure.message}" for failure in failures)
    return AllTargetsFailed(
        f"all {len(failures)} targets of route {call.route.name!r} failed: {told}",
        tuple(failures),
        hint="`fairlead call show` on this call's id tells each attempt",
    )
