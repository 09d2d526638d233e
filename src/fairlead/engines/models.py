"""Where a model's file lies: shipped with the product, at a path, or on the Hugging Face hub.

References are `shipped:NAME`, a path, or `hf:OWNER/REPO/FILE.gguf[@REVISION]`. Only the hub needs a network, and only
once: what its cache holds is used as it is. What is inside a file is `gguf.py`'s business.
"""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from fairlead.errors import EngineBroken, ExtraMissing

HUB = "hf:"
SHIPPED = "shipped:"
LOCAL_EXTRA = "pip install 'fairlead[local]'"


class ShippedModel(Struct, frozen=True):
    name: str
    path: Path
    size_bytes: int

    @property
    def reference(self) -> str:
        return SHIPPED + self.name


def shipped() -> list[ShippedModel]:
    """The models that came with the installation, by name."""
    folder = Path(str(files("fairlead.engines"))) / "shipped"
    found = sorted(path for path in folder.glob("*/*.gguf") if path.stem == path.parent.name)
    return [ShippedModel(path.stem, path, path.stat().st_size) for path in found]


def locate(reference: str, base_dir: Path) -> Path:
    """The file that a reference names; relative paths count from `base_dir`. May download: call it off the event loop.

    Raises EngineBroken where there is no such file, ExtraMissing where the hub's client is not installed.
    """
    if reference.startswith(SHIPPED):
        return _among_shipped(reference.removeprefix(SHIPPED))
    if reference.startswith(HUB):
        return _on_the_hub(reference)
    return _at_path(reference, base_dir)


def _among_shipped(name: str) -> Path:
    models = shipped()
    for model in models:
        if model.name == name:
            return model.path
    known = ", ".join(model.name for model in models) or "none"
    raise EngineBroken(f"no model {name!r} ships with Fairlead", hint=f"shipped models: {known}")


def _at_path(reference: str, base_dir: Path) -> Path:
    path = base_dir / Path(reference).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        inside = ", ".join(sorted(file.name for file in path.glob("*.gguf"))[:5])
        raise EngineBroken(
            f"{path} is a folder, not a model",
            hint=f"name a file in it: {inside}" if inside else "there is no GGUF file in it",
        )
    raise EngineBroken(f"{path} does not exist", hint="a model is shipped:NAME, a path, or hf:owner/repo/file.gguf")


def _on_the_hub(reference: str) -> Path:
    repository, filename, revision = parse_hub_reference(reference)
    if find_spec("huggingface_hub") is None:
        raise ExtraMissing(f"{reference} needs the Hugging Face client, which is not installed", hint=LOCAL_EXTRA)
    cached = _from_hub(reference, repository, filename, revision, only_cached=True)
    found = cached or _from_hub(reference, repository, filename, revision, only_cached=False)
    if found is None:
        raise EngineBroken(
            f"{reference} is not in the local cache, and the hub can't be reached",
            hint="connect to the network once, set HF_ENDPOINT to a mirror, or name a file by its path",
        )
    return found


def parse_hub_reference(reference: str) -> tuple[str, str, str | None]:
    """`hf:owner/repo/folder/file.gguf@rev` -> (`owner/repo`, `folder/file.gguf`, `rev` or None)."""
    name, _, revision = reference.removeprefix(HUB).partition("@")
    owner, _, rest = name.partition("/")
    repository, _, filename = rest.partition("/")
    if not (owner and repository and filename):
        raise EngineBroken(f"{reference!r} names no file on the hub", hint="write hf:owner/repo/file.gguf[@revision]")
    return f"{owner}/{repository}", filename, revision or None


def _from_hub(
    reference: str, repository: str, filename: str, revision: str | None, *, only_cached: bool
) -> Path | None:
    """None: not cached, or nobody answered."""
    from huggingface_hub import errors, hf_hub_download

    try:
        found = hf_hub_download(repository, filename, revision=revision, local_files_only=only_cached)
    except errors.LocalEntryNotFoundError:
        return None
    except errors.HfHubHTTPError as error:  # no such repository, file or revision; a gated model; the hub is ill
        said = str(error).strip().partition("\n")[0]
        raise EngineBroken(
            f"the hub does not give {reference}: {said}",
            hint="check the name; a gated model wants HF_TOKEN in the environment",
        ) from error
    except (errors.HFValidationError, OSError) as error:
        raise EngineBroken(f"{reference} can't be had: {error}", hint="write hf:owner/repo/file.gguf") from error
    return Path(found)
