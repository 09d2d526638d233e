"""Which of a target's accounts is asked: the least busy one, but a conversation stays where its prompt is cached.

A target may lie at several accounts or replicas of one model. Those that are left alone (`breaking.py`) or have just
failed this call are passed over while there is another. A conversation prefers one account by rendezvous hashing, so
that an account which comes or goes moves no more conversations than it must; when that one has more than a margin more
in flight than the least busy, it goes there instead. What is in flight is counted in this process.

A conversation is known by the caller's session, else by its key and what does not change from turn to turn: what it
says of itself for a cache, its instructions and tools, and its first message. That is looked for in the raw bytes.
"""

import re
from contextlib import aclosing
from hashlib import blake2b
from zlib import crc32

from fairlead.chat import Answer, Request, Stream
from fairlead.errors import TargetError
from fairlead.gateway.breaking import Circuits
from fairlead.gateway.call import Ask, Call, Clock, Form, Target

MARGIN = 8  # more in flight than the least busy account has, and a conversation moves
HASHED_BYTES = 2 * 1024  # of a field's beginning, and of its end
_HINT = "prompt_cache_key"
_STANDING = ("system", "instructions", "systemInstruction", "system_instruction", "tools", "toolConfig")
_TURNS = ("messages", "contents", "input", "prompt")
_USER, _ROLE = re.compile(rb'"user"'), re.compile(rb'"role"')  # which finds a rare word faster than bytes.find
_BETWEEN_TURNS = b" \t\r\n,{}[]"


class Loads:
    """Attempts in flight, by account, in this process."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def of(self, account: str) -> int:
        return self._counts.get(account, 0)

    def add(self, account: str, more: int) -> None:
        left = self._counts.get(account, 0) + more
        if left:
            self._counts[account] = left
        else:
            self._counts.pop(account, None)


class Spreading:
    """An Ask around the Ask: whoever asks a target that has accounts asks one of them."""

    def __init__(self, ask: Ask, call: Call, circuits: Circuits, loads: Loads, clock: Clock) -> None:
        self._ask = ask
        self._call = call
        self._circuits = circuits
        self._loads = loads
        self._clock = clock
        self._tried: set[str] = set()  # accounts that failed this call, or are being asked
        self._conversation: bytes | None = None

    async def answer(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Answer:
        if not target.accounts:
            return await self._ask.answer(target, request, purpose, form)
        account = self._begin(target)
        try:
            answer = await self._ask.answer(account, request, purpose, form)
        finally:
            self._loads.add(account.account, -1)
        self._tried.discard(account.account)
        return answer

    async def stream(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Stream:
        account = self._begin(target) if target.accounts else target
        try:
            async with aclosing(self._ask.stream(account, request, purpose, form)) as items:
                async for item in items:
                    yield item
        finally:
            if account is not target:
                self._loads.add(account.account, -1)
        self._tried.discard(account.account)

    def has_another(self, target: Target) -> bool:
        """Whether there is an account that this call has not tried and that would be asked now."""
        return any(one.account not in self._tried and self._circuits.takes(one) for one in target.accounts)

    def _begin(self, target: Target) -> Target:
        account = self._choose(target)
        self._loads.add(account.account, 1)
        self._tried.add(account.account)
        return account

    def _choose(self, target: Target) -> Target:
        taking = [one for one in target.accounts if self._circuits.takes(one)]
        fresh = [one for one in taking if one.account not in self._tried]
        able = fresh or taking or list(target.accounts)
        if len(able) == 1:
            return able[0]
        loads = [self._loads.of(one.account) for one in able]
        least = min(loads)
        if self._call.request.task in ("chat", "complete", "count"):
            home = max(range(len(able)), key=lambda at: _rank(self._known_by(), able[at].account))
            if loads[home] <= least + MARGIN:
                return able[home]
        idle = [one for one, load in zip(able, loads, strict=True) if load == least]
        return idle[int(self._clock.chance() * len(idle)) % len(idle)]

    def _known_by(self) -> bytes:
        if self._conversation is None:
            session = self._call.context.session
            said = session.encode() if session else _head(self._call.request)
            self._conversation = self._call.caller.key.encode() + b"\0" + said
        return self._conversation


def moves_on(error: TargetError) -> bool:
    """Whether another account may do better: one of a different provider's, of another key, or of another machine."""
    return error.retryable and error.code != "output_invalid"


def _rank(conversation: bytes, account: str) -> bytes:
    """Rendezvous hashing (Thaler and Ravishankar, 1998): the account with the highest rank is the conversation's."""
    return blake2b(account.encode(), digest_size=8, key=blake2b(conversation, digest_size=32).digest()).digest()


def _head(request: Request) -> bytes:
    """What a conversation says in all of its turns, hashed. Of what was not said in bytes there is none."""
    if request.spoken is None:
        return b""
    fields = request.spoken.fields
    if _HINT in fields:
        return bytes(fields[_HINT])
    parts = [_mark(bytes(fields[name])) for name in _STANDING if name in fields]
    parts += [_mark(_first_turns(bytes(fields[name]))) for name in _TURNS if name in fields]
    return b"".join(parts)


def _first_turns(turns: bytes) -> bytes:
    """Up to the turn after the user's first. It only looks for how turns are marked: one that is written in another
    order is cut elsewhere, and costs its conversation a cache at most."""
    user = _USER.search(turns)
    following = _ROLE.search(turns, user.end()) if user else None
    return (turns[: following.start()] if following else turns).rstrip(_BETWEEN_TURNS)


def _mark(said: bytes) -> bytes:
    """Tells one text from another: its length, its beginning and its end."""
    ends = crc32(said[-HASHED_BYTES:], crc32(said[:HASHED_BYTES]))
    return len(said).to_bytes(6, "big") + ends.to_bytes(4, "big")
