"""A model's weights by name: from a folder, the hub's cache, an installed package, or the hub.

What is here already comes before the network: a package comes before the hub where it holds the
very bytes that the catalogue knows the hub's file by. Whatever is found is checked before use:
whole, of the right architecture, with the catalogue's hash, and never a pickle.
"""

import os
from collections.abc import Callable, Collection
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal

import msgspec

from stepdown.core.fingerprint import digest
from stepdown.errors import Unavailable
from stepdown.students.catalogue import Entry, Origin, find_entry
from stepdown.students.weights_checks import (
    check_architecture,
    check_gguf,
    check_onnx,
    check_safetensors,
    is_pickle,
    sha256_of,
)

__all__ = ["Format", "Weights", "find_weights"]

Format = Literal["safetensors", "gguf", "onnx"]

_FORMATS: dict[str, tuple[Format, ...]] = {
    "encoder": ("safetensors", "onnx"),
    "generative": ("safetensors", "gguf"),
}
_CHECKS: dict[Format, Callable[[Path], None]] = {
    "safetensors": check_safetensors,
    "gguf": check_gguf,
    "onnx": check_onnx,
}
_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
_UNWANTED = ["onnx/*", "openvino/*", "*/*.safetensors"]
_SECONDS = 10


class Weights(msgspec.Struct, frozen=True):
    """Weights found and checked.

    `files` are the weights' names in `folder`, all of `format`; `sha256` is the hash of the file,
    of several shards the hash of their hashes in order. `config` is the decoded `config.json`, None
    where there is none (a GGUF file carries its own).
    """

    name: str
    source: Literal["path", "hub", "package"]
    folder: Path
    files: tuple[str, ...]
    format: Format
    sha256: str
    config: dict[str, Any] | None = None

    @property
    def path(self) -> Path:
        """The weights file; the first one of several shards."""
        return self.folder / self.files[0]


def find_weights(
    name: str, kind: str = "encoder", types: Collection[str] = (), sha256: str = ""
) -> Weights:
    """Return the weights of a model named by folder or file, catalogue name, hub id or package.

    `kind` is "encoder" or "generative"; `types` are the `model_type`s that the family can do, all
    of that kind where empty. With `sha256` no other weights will do. `HF_HUB_OFFLINE` is respected.

    Raises:
        Unavailable: they are nowhere, damaged, pickled, of another architecture, or have another
            hash than the catalogue or the caller says.
    """
    found = _locate(name, kind)
    if found.config is not None:
        check_architecture(name, found.config, kind, types)
    elif types and found.format != "gguf":
        raise Unavailable(
            f"The model {name} has no config.json, so its architecture is not known; put the one "
            f"it was published with into {found.folder}."
        )
    if sha256 and found.sha256 != sha256:
        raise _other(name, found.folder / found.files[0])
    return found


def _locate(name: str, kind: str) -> Weights:
    path = Path(name).expanduser()
    if path.exists():
        return _read(name, "path", path, kind, None)
    if name.startswith((".", "/", "~")):
        raise Unavailable(f"There is no folder or file {name}; name one with a model's weights.")
    entry = find_entry(name)
    reasons: list[str] = []
    for source in _sources(name, entry):
        found = source(kind, reasons)
        if found is not None:
            return found
    package = entry.origin("package") if entry else None
    fetch = f"; install the package {package.id}" if package else ""
    why = f" ({reasons[-1]})" if reasons else ""
    raise Unavailable(
        f"The weights of {name} are not here and could not be fetched{why}{fetch or ';'} "
        f"{'or ' if fetch else ''}fetch {_hub_id(name, entry) or name} from the model hub, or name "
        "a folder that holds them."
    )


Source = Callable[[str, list[str]], Weights | None]


def _hub_id(name: str, entry: Entry | None) -> str | None:
    """Return the hub's name of a model; a bare name that the catalogue lacks has none."""
    origin = entry.origin("hub") if entry else None
    if origin is not None:
        return origin.id
    return name if name.count("/") == 1 else None


def _sources(name: str, entry: Entry | None) -> list[Source]:
    hub = entry.origin("hub") if entry else None
    package = entry.origin("package") if entry else None
    repository = _hub_id(name, entry)
    # Asked for by the package's own name, nothing else is meant.
    meant = package is not None and name == package.id
    same = meant or bool(hub and package and hub.sha256 and hub.sha256 == package.sha256)

    def from_hub(local: bool) -> Source:
        def fetch(kind: str, reasons: list[str]) -> Weights | None:
            folder = _snapshot(repository or "", local, reasons)
            if folder is None or not local:
                return _read(name, "hub", folder, kind, hub) if folder else None
            try:
                return _read(name, "hub", folder, kind, hub)
            except Unavailable as error:
                # Only a part of the repository may ever have been fetched: look on.
                reasons.append(str(error))
                return None

        return fetch

    def from_package(kind: str, reasons: list[str]) -> Weights | None:
        folder = _package(package, name)
        return _read(name, "package", folder, kind, package) if folder else None

    cached = [from_hub(True)] if repository and not meant else []
    online = [from_hub(False)] if repository and not meant and not _offline() else []
    last: list[Source] = [*online, from_package]
    return [*cached, from_package, *online] if same else [*cached, *last]


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _snapshot(repository: str, local: bool, reasons: list[str]) -> Path | None:
    """Return the folder of a hub repository's files, from the cache alone if `local`."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        reasons.append("huggingface_hub is not installed")
        return None
    try:
        folder = snapshot_download(
            repository,
            allow_patterns=_WANTED,
            ignore_patterns=_UNWANTED,
            local_files_only=local,
            etag_timeout=_SECONDS,
        )
    except Exception as error:  # noqa: BLE001 - a hub fails in ways of its own, httpx's and the system's
        if not local:
            reasons.append(f"the hub said: {str(error).strip().partition(chr(10))[0]}")
        return None
    return Path(folder)


def _package(origin: Origin | None, name: str) -> Path | None:
    """Return the folder of an installed package's weights; the package is not imported."""
    try:
        found = distribution(origin.id if origin else name)
    except (PackageNotFoundError, ValueError):
        return None
    if origin is not None:
        folder = Path(str(found.locate_file(origin.folder)))
        return folder / origin.file if origin.file else folder
    endings = tuple(f".{ending}" for ending in ("safetensors", "gguf", "onnx"))
    inside = [file for file in found.files or () if file.name.endswith(endings)]
    return Path(str(found.locate_file(inside[0]))).parent if inside else None


def _read(
    name: str,
    source: Literal["path", "hub", "package"],
    place: Path,
    kind: str,
    origin: Origin | None,
) -> Weights:
    """Check the weights in a folder, or the one file `place`, and return them."""
    folder = place if place.is_dir() else place.parent
    form, files = _files(name, place, kind)
    for file in files:
        if not file.is_file():
            raise Unavailable(f"{file} is missing, so {name} is not whole; fetch it again.")
        _CHECKS[form](file)
    hashes = [sha256_of(file) for file in files]
    sha256 = hashes[0] if len(hashes) == 1 else digest("".join(hashes).encode())
    known = origin.sha256 if origin is not None and origin.file == files[0].name else ""
    if known and sha256 != known:
        raise _other(name, files[0])
    names = tuple(str(file.relative_to(folder)) for file in files)
    return Weights(name, source, folder, names, form, sha256, _config(folder))


def _files(name: str, place: Path, kind: str) -> tuple[Format, list[Path]]:
    """Return the weights' format and files: the first format of the kind that is there."""
    if is_pickle(place):
        raise _pickled(name, place)
    forms = _FORMATS[kind]
    if not place.is_dir():
        for form in forms:
            if place.suffix == f".{form}":
                return form, [place]
        raise _useless(name, place, forms)
    index = place / "model.safetensors.index.json"
    if index.is_file():
        return "safetensors", [place / shard for shard in _shards(index)]
    for form in forms:
        found = sorted([*place.glob(f"*.{form}"), *place.glob(f"{form}/model.{form}")])
        if found:
            usual = [file for file in found if file.name == f"model.{form}"]
            return form, (usual or found)[:1]
    pickles = [file for file in sorted(place.iterdir()) if is_pickle(file)]
    if pickles:
        raise _pickled(name, pickles[0])
    raise _useless(name, place, forms)


def _shards(index: Path) -> list[str]:
    try:
        read = msgspec.json.decode(index.read_bytes(), type=dict[str, Any])
        shards = sorted(set(msgspec.convert(read["weight_map"], dict[str, str]).values()))
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError) as error:
        raise Unavailable(f"{index} can't be read ({error}); fetch the weights again.") from error
    if not shards or any(Path(shard).name != shard for shard in shards):
        raise Unavailable(f"{index} names files outside of its folder; fetch the weights again.")
    return shards


def _config(folder: Path) -> dict[str, Any] | None:
    path = folder / "config.json"
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unavailable(f"{path} can't be read ({error}); fetch the weights again.") from error


def _pickled(name: str, path: Path) -> Unavailable:
    return Unavailable(
        f"The weights of {name} are pickled ({path.name}), and opening a pickle runs whatever it "
        "holds; convert them to safetensors first."
    )


def _useless(name: str, place: Path, forms: Collection[str]) -> Unavailable:
    return Unavailable(
        f"{place} holds no weights of {name} that can be used here ({' or '.join(forms)}); name "
        "the folder of a published model."
    )


def _other(name: str, path: Path) -> Unavailable:
    return Unavailable(
        f"{path} is not the file that {name} is known by (its SHA-256 differs); fetch it again or "
        "name the folder to use it as a model of its own."
    )
