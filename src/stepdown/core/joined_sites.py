"""Which task of a log a call site is of: by the words that both hold.

A site's prompts have `{}` where they are filled in, a task's templates have holes: what stands
between must be the same words, apart from white space. Where a log itself tells file and line, that
is taken.
"""

from collections.abc import Sequence

from stepdown.core.sites import CallSite, CodeReport
from stepdown.core.tasks import Task

__all__ = ["join"]

_LEAST = 16
"""Characters that have to agree: fewer stand in anybody's prompt."""
_SHARE = 0.5
"""Share of a site's own words that a task has to hold."""


def join(sites: Sequence[CallSite], tasks: Sequence[Task]) -> CodeReport:
    """Join sites and tasks; a site of several alike tasks is of each of them."""
    words = {task.id: _words_of(task) for task in tasks}
    placed: dict[str, list[str]] = {}
    silent: list[str] = []
    unknown: list[str] = []
    told = {task.id: tuple(task.spend_by.get("code", ())) for task in tasks}
    for site in sites:
        place = site.place
        by_log = [task for task, names in told.items() if _is_among(place, names)]
        if by_log:
            for task in by_log:
                placed.setdefault(task, []).append(place)
            continue
        pieces = _pieces(site.prompts)
        if not pieces:
            unknown.append(place)
            continue
        scores = {task: _score(pieces, texts) for task, texts in words.items()}
        best = max(scores.values(), default=0.0)
        if best < _SHARE:
            silent.append(place)
        for task, score in scores.items():
            if score == best >= _SHARE:
                placed.setdefault(task, []).append(place)
    return CodeReport(
        tuple(sites),
        {task: tuple(places) for task, places in placed.items()},
        tuple(task.id for task in tasks if task.id not in placed),
        tuple(silent),
        tuple(unknown),
    )


def _is_among(place: str, names: Sequence[str]) -> bool:
    """Say whether the log itself names the place, by a path that may be longer."""
    return any(name == place or name.endswith(f"/{place}") for name in names)


def _words_of(task: Task) -> str:
    signature = task.signature
    fragments = (
        *signature.system.fragments,
        *signature.history.fragments,
        *signature.user.fragments,
    )
    return "\n".join(_plain(fragment) for fragment in fragments)


def _pieces(prompts: Sequence[str]) -> list[str]:
    """Return the texts between the holes, those that say enough."""
    found = [_plain(piece) for prompt in prompts for piece in prompt.split("{}")]
    return [piece for piece in found if len(piece) >= _LEAST]


def _plain(text: str) -> str:
    return " ".join(text.split())


def _score(pieces: Sequence[str], words: str) -> float:
    """Return the share of the pieces' characters that a task's fragments hold."""
    held = sum(len(piece) for piece in pieces if piece in words)
    return held / sum(map(len, pieces))
