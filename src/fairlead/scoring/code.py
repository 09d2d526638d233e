"""The code in an answer that has words around it."""

import re

_BLOCK = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
NAMES = {"python": ("python", "py", "python3")}


def code_in(answer: str, language: str = "python", entry: str = "") -> str:
    """Of several blocks the last one that defines `entry`, else the first of the language; without any, all of it.

    A block that was never closed ends with the answer.
    """
    blocks = [(name.lower(), body) for name, body in _BLOCK.findall(answer)]
    wanted = [body for name, body in blocks if name in NAMES.get(language, (language,))]
    wanted = wanted or [body for name, body in blocks if not name] or [body for _, body in blocks]
    if not wanted:
        return answer
    defines = re.compile(rf"^\s*(?:async\s+def|def|class)\s+{re.escape(entry)}\b", re.MULTILINE)
    defining = [body for body in wanted if defines.search(body)]
    return defining[-1] if entry and defining else wanted[0]
