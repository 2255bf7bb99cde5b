"""`stepdown serve --collect`: every call goes to the model behind and is kept, for the audit."""

import click
import msgspec

from stepdown.cli.options import Session
from stepdown.cli.stores import captured_calls
from stepdown.core.display import count, plural
from stepdown.render import next_step, say
from stepdown.serve.live import Load, Loaded
from stepdown.serve.settings import Endpoint, Routing, Settings

__all__ = ["collecting", "stored", "tell_collected", "tell_collecting", "without_students"]

_OPENAI = "https://api.openai.com/v1"
_ANTHROPIC = "https://api.anthropic.com"


def collecting(settings: Settings) -> Settings:
    """Return settings under which every call is answered by the model that its caller asked for.

    Where no upstream is named, each dialect goes to its maker, with the caller's own key.
    """
    if settings.base_url is None:
        settings = msgspec.structs.replace(
            settings, base_url=_OPENAI, messages=settings.messages or Endpoint(_ANTHROPIC)
        )
    return msgspec.structs.replace(
        settings, mid=None, small=None, routing=Routing(), audit_share=0.0
    )


def without_students(load: Load) -> Load:
    """Return the same policy without its routes: tasks are told, and nothing is answered here."""

    def loaded(generation: int | None) -> Loaded | None:
        found = load(generation)
        return found and msgspec.structs.replace(found, routes={}, problems={}, notes={})

    return loaded


def tell_collecting(settings: Settings, loaded: Loaded, address: str) -> None:
    """Say on stderr what a team sets so that its calls come here, and where they go."""
    tasks = len(loaded.tasks.tasks())
    known = f" ({plural(tasks, 'task')} known)" if tasks else ""
    say(f"Ready on {address}/v1; upstream: {settings.base_url}.")
    say(f"Collecting{known}: no student answers, and every call is kept. Your application needs:")
    say(f"  OPENAI_BASE_URL={address}/v1    ANTHROPIC_BASE_URL={address}")


def tell_collected(session: Session, before: int) -> None:
    """Say on stderr how many calls have come since there were `before`, and what to do next."""
    kept = stored(session)
    say(f"Collected {plural(kept - before, 'call')}; {count(kept)} are kept in all.")
    if kept:
        next_step(session.typed(f"stepdown audit {click.format_filename(session.workspace.root)}"))


def stored(session: Session) -> int:
    """Return how many calls the workspace's store holds."""
    return sum(tally.count for tally in captured_calls(session).tallies())
