"""The first target and no other."""

from collections.abc import Awaitable

from fairlead.chat import Answer, Stream
from fairlead.gateway.call import Ask, Call


class Single:
    def answer(self, call: Call, ask: Ask) -> Awaitable[Answer]:
        return ask.answer(call.targets[0], call.request)

    def stream(self, call: Call, ask: Ask) -> Stream:
        return ask.stream(call.targets[0], call.request)
