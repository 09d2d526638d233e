"""The first target and no other."""

from contextlib import aclosing

from fairlead.chat import Answer, Stream
from fairlead.gateway.call import Ask, Call


class Single:
    async def answer(self, call: Call, ask: Ask) -> Answer:
        return await ask.answer(call.targets[0], call.request)

    async def stream(self, call: Call, ask: Ask) -> Stream:
        async with aclosing(ask.stream(call.targets[0], call.request)) as items:
            async for item in items:
                yield item
