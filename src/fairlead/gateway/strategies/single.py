"""The first target and no other."""

from fairlead.chat import Answer, Stream
from fairlead.gateway.call import Ask, Call


class Single:
    async def answer(self, call: Call, ask: Ask) -> Answer:
        return await ask.answer(call.targets[0], call.request)

    def stream(self, call: Call, ask: Ask) -> Stream:
        return ask.stream(call.targets[0], call.request)
