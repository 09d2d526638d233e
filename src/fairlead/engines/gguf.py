"""What a GGUF file says of itself, read from its header: is it whole, what is in it, will llama.cpp take it.

Nothing but the header is read, and nothing is believed: every count and length is held against the file's size, so a
hostile file costs neither memory nor minutes. What the words mean to a running engine is not known here. The format is
specified in ggml's docs/gguf.md; sizes of tensor types are those of ggml's type table.
"""

import math
import struct
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct

from fairlead.errors import EngineBroken

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_PAIRS = 65_536
MOST_TENSORS = 1_048_576
MOST_ELEMENTS = 16_777_216  # of one array
LONGEST_NAME = 65_535
LONGEST_TEXT = 16 << 20  # a chat template may be long, but not that long
DEEPEST = 4  # arrays in arrays

STRING, ARRAY = 8, 9
SCALARS: Mapping[int, str] = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip

# Tensor type -> (its name, elements in a block, bytes of a block). Types that are not listed are not measured.
TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 30: ("BF16", 1, 2), 28: ("F64", 1, 8),
    2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 20: ("IQ4_NL", 32, 18), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8),
}  # fmt: skip


class Header(Struct, frozen=True, kw_only=True):
    """`context` is what the model was trained on, in tokens; `weights` the type that most parameters are stored in."""

    version: int
    architecture: str
    name: str
    parameters: int
    context: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    vocabulary: int
    weights: str
    chat_template: bool
    size_bytes: int

    def cache_bytes(self, tokens: int) -> int:
        """What llama.cpp's key and value cache takes for so many tokens, at 16 bits."""
        return 2 * 2 * self.layers * self.kv_heads * self.head_width * tokens


def read_header(path: Path) -> Header:
    """Raises EngineBroken where `path` can't be read, is no GGUF, is cut off, or can't be what it claims to be."""
    try:
        with path.open("rb") as file:
            return _Reader(path, file).header()
    except FileNotFoundError:
        raise EngineBroken(f"{path} does not exist", hint="check the path of the engine's model") from None
    except OSError as error:
        raise EngineBroken(f"{path} can't be read: {error.strerror}", hint="check its permissions") from error


class _Reader:
    """Walks once through a header."""

    def __init__(self, path: Path, file: BufferedReader) -> None:
        self._path = path
        self._file = file
        self._size = file.seek(0, 2)
        file.seek(0)

    def header(self) -> Header:
        version, tensors, pairs = self._start()
        said: dict[str, Any] = {}
        for _ in range(pairs):
            key = self._text(LONGEST_NAME)
            said[key] = self._value(self._number("<I"), 0)
        parameters, weights, needed = self._tensors(tensors)
        alignment = _count(said.get("general.alignment"), 32)
        data = -(-self._file.tell() // alignment) * alignment
        if data + needed > self._size:
            self._cut_off(f"its tensors end at byte {data + needed:,}, it ends at {self._size:,}")
        return _header(said, version=version, parameters=parameters, weights=weights, size_bytes=self._size)

    def _start(self) -> tuple[int, int, int]:
        if self._size < 24 or self._file.read(4) != MAGIC:
            raise EngineBroken(
                f"{self._path} is not a GGUF file",
                hint="llama.cpp loads GGUF files; a Git LFS pointer, a web page or safetensors won't do",
            )
        version = self._number("<I")
        if version not in VERSIONS:
            raise EngineBroken(
                f"{self._path} is a GGUF of version {version}; {' and '.join(map(str, VERSIONS))} can be read",
                hint="convert the model anew with a current llama.cpp",
            )
        tensors, pairs = self._number("<Q"), self._number("<Q")
        if tensors > MOST_TENSORS or pairs > MOST_PAIRS:
            self._nonsense(f"it claims {tensors:,} tensors and {pairs:,} metadata")
        return version, tensors, pairs

    def _tensors(self, count: int) -> tuple[int, str, int]:
        """Parameters, the type that holds most of them, and how many bytes the tensors' data needs."""
        parameters, needed = 0, 0
        by_type: dict[str, int] = {}
        for _ in range(count):
            name = self._text(LONGEST_NAME)
            dimensions = self._number("<I")
            if dimensions > 8:
                self._nonsense(f"tensor {name[:80]!r} has {dimensions:,} dimensions")
            elements = math.prod(self._number("<Q") for _ in range(dimensions))
            kind, per_block, block_bytes = TYPES.get(self._number("<I"), ("other", 1, 0))
            offset = self._number("<Q")
            parameters += elements
            by_type[kind] = by_type.get(kind, 0) + elements
            needed = max(needed, offset + -(-elements // per_block) * block_bytes)
        return parameters, max(by_type, key=lambda kind: by_type[kind], default=""), needed

    def _value(self, kind: int, depth: int) -> Any:
        """A scalar or text as it is; an array as its length (nothing else is needed of one)."""
        if kind == STRING:
            return self._text(LONGEST_TEXT)
        if kind == ARRAY:
            return self._array(depth)
        if kind not in SCALARS:
            self._nonsense(f"metadata of type {kind}")
        return self._number(SCALARS[kind])

    def _array(self, depth: int) -> "_Array":
        kind, length = self._number("<I"), self._number("<Q")
        if length > MOST_ELEMENTS or depth >= DEEPEST:
            self._nonsense(f"an array of {length:,} elements, {depth} deep")
        if kind in SCALARS:
            width = struct.calcsize(SCALARS[kind])
            first = self._number(SCALARS[kind]) if length else 0
            self._skip((length - 1) * width if length else 0)
            return _Array(length, first)
        for _ in range(length):
            if kind == STRING:
                self._skip(self._number("<Q"))
            else:
                self._value(kind, depth + 1)
        return _Array(length, 0)

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._bytes(struct.calcsize(form)))[0]

    def _text(self, longest: int) -> str:
        length = self._number("<Q")
        if length > longest:
            self._nonsense(f"a text of {length:,} bytes")
        return self._bytes(length).decode("utf-8", "replace")

    def _bytes(self, count: int) -> bytes:
        taken = self._file.read(count)
        if len(taken) < count:
            self._cut_off(f"it ends within its header, at byte {self._size:,}")
        return taken

    def _skip(self, count: int) -> None:
        if count > self._size - self._file.tell():
            self._cut_off(f"it ends within its header, at byte {self._size:,}")
        self._file.seek(count, 1)

    def _cut_off(self, what: str) -> NoReturn:
        raise EngineBroken(f"{self._path} is cut off: {what}", hint="the download was not finished: fetch it again")

    def _nonsense(self, what: str) -> NoReturn:
        raise EngineBroken(f"{self._path} is not a sound GGUF file: {what}", hint="fetch or convert the model again")


class _Array(Struct, frozen=True):
    length: int
    first: Any


def _header(said: Mapping[str, Any], **known: Any) -> Header:
    architecture = _word(said.get("general.architecture"))

    def number(key: str, otherwise: int = 0) -> int:
        return _count(said.get(f"{architecture}.{key}"), otherwise)

    heads = number("attention.head_count")
    tokens = said.get("tokenizer.ggml.tokens")
    return Header(
        architecture=architecture,
        name=_word(said.get("general.name")),
        context=number("context_length"),
        layers=number("block_count"),
        heads=heads,
        kv_heads=number("attention.head_count_kv", heads),
        head_width=number("attention.key_length", number("embedding_length") // heads if heads else 0),
        vocabulary=tokens.length if isinstance(tokens, _Array) else number("vocab_size"),
        chat_template=bool(_word(said.get("tokenizer.chat_template"))),
        **known,
    )


def _count(value: Any, otherwise: int) -> int:
    """A number that counts something; the first one, where it is given layer by layer."""
    if isinstance(value, _Array):
        value = value.first
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else otherwise


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
