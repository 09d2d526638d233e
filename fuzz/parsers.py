"""Fuzzes every parser of foreign bytes with atheris: `make fuzz` (ARGS="-max_total_time=600" goes to libFuzzer).

The first byte of an input chooses the target (`targets`), the rest is what it is given. Inputs are changed byte by byte
as libFuzzer does, and as JSON and streams (`mutations`); it begins with what `seeds` makes. What is found lies in
`build/fuzz`; a file of it as an argument runs that alone.
"""

import random
import sys
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fairlead"]):
    import seeds
    from targets import ALLOWED, NAMES, TARGETS

from mutations import changed

WORK = Path(__file__).resolve().parent.parent / "build" / "fuzz"
BOUNDS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=20000", f"-artifact_prefix={WORK}/")


def one(data: bytes) -> None:
    if not data:
        return
    with suppress(*ALLOWED):
        TARGETS[NAMES[data[0] % len(NAMES)]](data[1:])


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Mostly as JSON, since random bytes seldom are; sometimes for another target."""
    chance = random.Random(seed)
    if not data or chance.random() < 0.25:
        return atheris.Mutate(data, max_size)
    head = bytes([chance.randrange(len(NAMES))]) if chance.random() < 0.05 else data[:1]
    body = changed(data[1:], seed)
    return atheris.Mutate(data, max_size) if body is None else (head + body)[:max_size]


def main() -> None:
    arguments = sys.argv[1:]
    if not any(Path(argument).is_file() for argument in arguments):
        seeds.write(WORK / "seeds")
        (WORK / "corpus").mkdir(exist_ok=True)
        arguments += [str(WORK / "corpus"), str(WORK / "seeds")]
    atheris.Setup([sys.argv[0], *BOUNDS, *arguments], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
