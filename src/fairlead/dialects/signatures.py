"""Signatures of reasoning: whose they are, also after a round trip through a caller who speaks another language.

A provider signs its models' reasoning and wants the signature back, unchanged, with the next turn; every other provider
refuses it. In its own language a signature travels bare. In another's it is wrapped, so that it is known when it comes
back: `~fairlead:ORIGIN:SIGNATURE`, where ORIGIN is the language of the provider who signed. The tilde is there because
it is rare: whether a long body may hold a wrapped signature is then found out in a twentieth of the time.
"""

_MARK = "~fairlead:"
MARK = b'"~fairlead:'  # how a wrapped signature begins in a body
_TILDE = ord("~")  # a number is found ten times as fast as a byte string


def wrap(signature: str, origin: str, language: str) -> str:
    """The signature as a caller who speaks `language` is given it."""
    return signature if origin == language else f"{_MARK}{origin}:{signature}"


def unwrap(said: str, language: str) -> tuple[str, str]:
    """(signature, origin) of what a caller who speaks `language` gave back."""
    if said.startswith(_MARK):
        origin, found, signature = said[len(_MARK) :].partition(":")
        if found:
            return signature, origin
    return said, language


def has_wrapped(body: bytes) -> bool:
    """Whether there may be a wrapped signature in a body: then it can't be passed on as it stands."""
    return _TILDE in body and MARK in body
