"""Signatures with an RSA key that is given as a PEM text: PKCS #1 v1.5 over SHA-256 (RFC 8017), and nothing else.

The standard library has no RSA, and the one signature an hour that a token costs is not worth a dependency.
"""

import base64
import hashlib
import re
import secrets

from msgspec import Struct

PEM = re.compile(r"-----BEGIN (RSA )?PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END (?:RSA )?PRIVATE KEY-----")
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")  # the DigestInfo before the digest
INTEGER, OCTETS, SEQUENCE = 0x02, 0x04, 0x30


class RsaKey(Struct, frozen=True):
    """Its numbers: the modulus, both exponents."""

    modulus: int
    public: int
    private: int

    def __repr__(self) -> str:
        return f"RsaKey({self.modulus.bit_length()} bits)"


def read_key(pem: str) -> RsaKey:
    """Raises ValueError where it is no RSA key in PKCS #8 or PKCS #1."""
    found = PEM.search(pem)
    if not found:
        raise ValueError("there is no private key in PEM")
    der = base64.b64decode("".join(found[2].split()), validate=True)
    items = _sequence(der)
    if not found[1]:  # PKCS #8: version, algorithm, and the key itself as octets
        if len(items) < 3 or items[2][0] != OCTETS:
            raise ValueError("the private key is not in PKCS #8")
        items = _sequence(items[2][1])
    numbers = [int.from_bytes(value, "big") for tag, value in items if tag == INTEGER]
    if len(numbers) < 4:
        raise ValueError("the private key is no RSA key")
    key = RsaKey(modulus=numbers[1], public=numbers[2], private=numbers[3])
    if key.modulus.bit_length() < 1024 or pow(pow(2, key.private, key.modulus), key.public, key.modulus) != 2:
        raise ValueError("the private key is no RSA key")
    return key


def sign(key: RsaKey, message: bytes) -> bytes:
    size = (key.modulus.bit_length() + 7) // 8
    digest = SHA256 + hashlib.sha256(message).digest()
    padded = int.from_bytes(b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest, "big")
    blind = secrets.randbelow(key.modulus - 2) + 2  # the time that it takes then tells nothing of the key
    blinded = padded * pow(blind, key.public, key.modulus) % key.modulus
    signature = pow(blinded, key.private, key.modulus) * pow(blind, -1, key.modulus) % key.modulus
    return signature.to_bytes(size, "big")


def _sequence(der: bytes) -> list[tuple[int, bytes]]:
    """The tags and contents in a DER sequence. Raises ValueError."""
    items = _items(der)
    if len(items) != 1 or items[0][0] != SEQUENCE:
        raise ValueError("the private key can't be read")
    return _items(items[0][1])


def _items(der: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1] if at + 1 < len(der) else 0
        at += 2
        if length & 0x80:
            more = length & 0x7F
            length = int.from_bytes(der[at : at + more], "big")
            at += more
        if at + length > len(der):
            raise ValueError("the private key is cut off")
        found.append((tag, der[at : at + length]))
        at += length
    return found
