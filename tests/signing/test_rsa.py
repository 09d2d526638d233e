"""Signatures are those that another implementation makes and takes, with keys in both usual forms."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fairlead.signing.rsa import read_key, sign

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(form: PrivateFormat) -> str:
    return KEY.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_signature_is_that_of_another_implementation(form: PrivateFormat) -> None:
    key = read_key(pem(form))
    for message in (b"", b"a claim", bytes(range(256)) * 9):
        signature = sign(key, message)
        assert signature == KEY.sign(message, padding.PKCS1v15(), SHA256())
        KEY.public_key().verify(signature, message, padding.PKCS1v15(), SHA256())


def test_what_is_no_rsa_key_is_refused() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    other = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    whole = pem(PrivateFormat.PKCS8)
    lines = whole.splitlines()
    for text in ("", "a text", other, "\n".join(lines[:5] + lines[-1:]), whole.replace(lines[3], lines[3][::-1])):
        with pytest.raises(ValueError):
            read_key(text)


def test_a_key_is_not_seen() -> None:
    key = read_key(pem(PrivateFormat.PKCS8))
    assert repr(key) == "RsaKey(2048 bits)" and str(key.private) not in f"{key} {key!r}"
