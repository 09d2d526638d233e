"""Who it is that asks, as providers take it: the same person always gets the same name, and none that is refused."""

import hashlib
import re

_PERSONAL = re.compile(r"@|\A\s*\+?\d[\d\s().-]{6,}\Z")


def end_user(user: str, *, longest: int, opaque: bool = False) -> str:
    """The name as it stands, or a digest where it is longer than is taken. `opaque`: or is an address or a telephone
    number, which Anthropic refuses."""
    if len(user) <= longest and not (opaque and _PERSONAL.search(user)):
        return user
    return hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
