"""No error is forgotten: neither in the drawn tree nor in the table that maps errors to HTTP."""

import inspect
import re

from fairlead import errors

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, errors.FairleadError)
}


def drawn() -> list[tuple[int, str]]:
    """Depth and name of every line of the tree in the docstring, in its order."""
    lines = re.findall(r"^([ │├└─]*)([A-Z]\w+)(?:  .*)?$", errors.__doc__ or "", flags=re.MULTILINE)
    return [(len(prefix) // 3, name) for prefix, name in lines]


def test_the_drawn_tree_is_the_tree() -> None:
    parents: dict[str, str] = {}
    above: list[str] = []
    for depth, name in drawn():
        del above[depth:]
        parents[name] = above[-1] if above else "Exception"
        above.append(name)
    assert parents == {name: kind.__mro__[1].__name__ for name, kind in CLASSES.items()}


def test_every_error_says_what_it_is_with_a_code_of_its_own_style() -> None:
    for kind in CLASSES.values():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in CLASSES.values()]
    assert len(set(codes)) == len(codes)


def test_every_error_has_a_status_of_its_own_or_of_its_kind() -> None:
    from fairlead.server.errors import STATUS

    for kind in CLASSES.values():
        assert any(ancestor in STATUS for ancestor in kind.__mro__[:-3]), kind.__name__
