"""One target after the other, until one answers; in a stream, until one says its first word.

Once a word is out there is no switch to another model: the caller would read two voices as one.
"""

from contextlib import aclosing

from fairlead.chat import Answer, Chunk, Item, Stream
from fairlead.errors import AllTargetsFailed, FairleadError, RequestInvalid, TargetError
from fairlead.gateway.call import Ask, Call


class Fallback:
    async def answer(self, call: Call, ask: Ask) -> Answer:
        failures: list[FairleadError] = []
        try:
            for target in call.targets:
                try:
                    return await ask.answer(target, call.request)
                except (TargetError, RequestInvalid) as error:
                    if not _is_passing(error):
                        raise
                    failures.append(error)
            raise _all_failed(call, failures)
        finally:
            failures.clear()  # they hold this frame, and with it all that the call held: a cycle

    async def stream(self, call: Call, ask: Ask) -> Stream:
        failures: list[FairleadError] = []
        try:
            for target in call.targets:
                async with aclosing(ask.stream(target, call.request)) as items:
                    early: list[Item] = []
                    try:
                        async for item in items:
                            early.append(item)
                            if isinstance(item, Chunk) and item.words:
                                break
                    except (TargetError, RequestInvalid) as error:
                        if not _is_passing(error):
                            raise
                        failures.append(error)
                        continue
                    for item in early:
                        yield item
                    async for item in items:
                        yield item
                    return
            raise _all_failed(call, failures)
        finally:
            failures.clear()  # as in `answer`


def _is_passing(error: TargetError | RequestInvalid) -> bool:
    """Whether another target may do better: one that is up, or one whose language has a word for what is asked. The
    caller's own mistake is raised at once."""
    return error.retryable or error.code == "unsupported_feature"


def _all_failed(call: Call, failures: list[FairleadError]) -> FairleadError:
    of_targets = tuple(failure for failure in failures if isinstance(failure, TargetError))
    if len(failures) == 1 or not of_targets:
        return failures[0]
    named = [(target.name, failure) for target, failure in zip(call.targets, failures, strict=True)]
    failed = f"all {len(failures)} targets of route {call.route.name!r} failed"
    return AllTargetsFailed(
        f"{failed}: {'; '.join(f'{name}: {failure.message}' for name, failure in named)}",
        of_targets,
        why=f"{failed}: {'; '.join(f'{name}: {failure.why}' for name, failure in named)}",
        hint="`fairlead call show` on this call's id tells each attempt",
    )
