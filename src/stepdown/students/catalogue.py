"""The catalogue of known models, as data: `catalogue.json`, which ships in the package.

Only models whose weights, licence and tasks are known are listed; any other is named by its hub id
or its folder. A figure that was not measured, a hash that was not seen and a price that does not
exist are None or empty, never 0.
"""

from functools import lru_cache
from importlib import resources
from typing import Literal

import msgspec

from stepdown.errors import PluginError

__all__ = ["Entry", "Kind", "Origin", "Price", "catalogue", "entry", "find_entry"]

Kind = Literal["static", "encoder", "generative", "tool-caller", "hosted"]


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where weights come from: a `hub` repository, or an installed `package`.

    `id` is the repository or the distribution, `folder` the folder of the files inside it, `file`
    the weights themselves and `sha256` their hash, "" where it is not known.
    """

    source: Literal["hub", "package"]
    id: str
    folder: str = ""
    file: str = ""
    sha256: str = ""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars per million tokens in and out."""

    input_usd: float
    output_usd: float


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model.

    `parameters` counts all of them, `context` tokens; either is None where it is not known.
    `family` is the student family that starts from it, `tasks` what it is used for. `aliases` are
    other names that find it. `price` is None for what runs in process. `figures` holds what
    `stepdown bench` measured, by name.
    """

    name: str
    kind: Kind
    family: str
    parameters: int | None
    licence: str
    tasks: tuple[str, ...]
    context: int | None
    origins: tuple[Origin, ...] = ()
    aliases: tuple[str, ...] = ()
    price: Price | None = None
    figures: dict[str, float] = {}

    def origin(self, source: str) -> Origin | None:
        """Return the entry's hub repository or package, None where it has none."""
        return next((origin for origin in self.origins if origin.source == source), None)


@lru_cache(maxsize=1)
def catalogue() -> tuple[Entry, ...]:
    """Return every known model, smallest first."""
    data = resources.files("stepdown.students").joinpath("catalogue.json").read_bytes()
    found = msgspec.json.decode(data, type=tuple[Entry, ...])
    return tuple(sorted(found, key=lambda entry: (entry.parameters or 0, entry.name)))


def find_entry(name: str) -> Entry | None:
    """Return the model of that name, alias, hub repository or package; None where none is known."""
    wanted = name.lower()
    for found in catalogue():
        names = (found.name, *found.aliases, *(origin.id for origin in found.origins))
        if wanted in map(str.lower, names):
            return found
    return None


def entry(name: str) -> Entry:
    """Return the model of that name, as `find_entry` does.

    Raises:
        PluginError: the catalogue has none.
    """
    found = find_entry(name)
    if found is None:
        names = ", ".join(known.name for known in catalogue())
        raise PluginError(f"The catalogue has no model {name!r}; it has: {names}.")
    return found
