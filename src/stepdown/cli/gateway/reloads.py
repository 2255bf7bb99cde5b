"""Reading `stepdown.toml` again for a gateway that runs, and saying what takes a restart."""

from collections.abc import Callable

import msgspec

from stepdown.cli.options import Session
from stepdown.cli.pricing import price_by
from stepdown.config import Config, TierConfig, load_config
from stepdown.serve.live import Load
from stepdown.serve.reloading import Reload, Reloaded
from stepdown.serve.settings import Settings

__all__ = ["reloader"]

_FIXED = {
    "serve": ("host", "port", "workers"),
    "store": ("url", "url_env", "durability", "keep_days"),
}
"""What a running gateway can't change, by table: its socket, its processes, its outbox."""


def reloader(
    session: Session,
    settle: Callable[[Session], Settings],
    load: Load,
    loading: Callable[[TierConfig | None], Load],
) -> Reload:
    """Return what reads the configuration of a session again.

    `settle` makes settings of a session, `loading` what loads the policy with another middle tier
    than `load` does. Each is made once: it keeps the students that it has loaded.
    """
    begun, file = session.config, session.config_file
    loads = [(begun.tiers.get("mid"), load)]
    was_there = file.exists()

    def reload() -> Reloaded:
        nonlocal was_there
        # A file that is gone (renamed to be edited, say) must not take keys and addresses along.
        config = load_config(file, required=was_there)
        was_there = was_there or config != Config()
        kept, notes = _fixed(begun, config)
        settings = settle(msgspec.structs.replace(session, config=kept))
        mid = kept.tiers.get("mid")
        known = [one for one in loads if one[0] == mid] or [(mid, loading(mid))]
        # The one from the start, and the last: whoever tries many has few in memory.
        loads[1:] = known if known[0] is not loads[0] else []
        return Reloaded(settings, known[0][1], price_by(kept), notes)

    return reload


def _fixed(begun: Config, now: Config) -> tuple[Config, tuple[str, ...]]:
    """Return the configuration with what can't change as it was, and what that is."""
    notes: list[str] = []
    if now.admin != begun.admin:
        now = msgspec.structs.replace(now, admin=begun.admin)
        notes.append("[admin] changed, which takes a restart of the gateway.")
    for table, names in _FIXED.items():
        old, new = getattr(begun, table), getattr(now, table)
        changed = [name for name in names if getattr(old, name) != getattr(new, name)]
        if changed:
            same = {name: getattr(old, name) for name in changed}
            now = msgspec.structs.replace(now, **{table: msgspec.structs.replace(new, **same)})
            notes.append(
                f"[{table}] {', '.join(changed)} changed, which takes a restart of the gateway."
            )
    return now, tuple(notes)
