"""Packages that some credentials need and the plain installation has not. They are looked for, not loaded."""

from importlib.util import find_spec

from fairlead.errors import ExtraMissing


def must_have(extra: str, *packages: str, what: str, instead: str) -> None:
    """Raises ExtraMissing where one of the packages of `fairlead[extra]` is not there."""
    for package in packages:
        if not _is_there(package):
            message = f"{what} needs the package {package.replace('.', '-')}, which is missing"
            raise ExtraMissing(message, hint=f"pip install 'fairlead[{extra}]', or {instead}")


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:  # of `google.auth`, when nothing at all of `google` is there
        return False
