"""What a change to the code does to the bill: call sites before and after, priced by the log."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from stepdown.core.joined_sites import join
from stepdown.core.sites import CallSite, SiteChange
from stepdown.core.tasks import Task, calls_month, tokens_a_call

__all__ = ["Price", "site_changes"]

Price = Callable[[str], tuple[float, float] | None]
"""price(model) → US dollars for a token that is read, and for one that is written, or None."""

_CHARS_PER_TOKEN = 4.0
_SHARE = 0.5
"""Share of a site's words that another holds which may be the same at another place."""


def site_changes(
    old: Sequence[CallSite], new: Sequence[CallSite], tasks: Sequence[Task], price: Price
) -> tuple[SiteChange, ...]:
    """Return the sites that came, went, or have another model or prompt.

    Sites of one function that call alike are matched in their order, then those with the same words
    wherever they stand; what is the same but for its place is no change. A site's calls and tokens
    are those of its task in the log, shared evenly among the task's sites. Nobody knows what a new
    site costs, nor what a model or a text does that can be seen on one side alone.
    """
    volumes = _volumes(new, tasks) | _volumes(old, tasks)
    pairs = _matched(old, new)
    came = [after for before, after in pairs if before is None and after is not None]
    changes: list[SiteChange] = []
    for before, after in pairs:
        if before is not None and after is not None and _told(before) == _told(after):
            continue
        site = after or before
        assert site is not None
        why = _unknown(before, after, came, volumes)
        usd, why = (None, why) if why else _priced(before, after, volumes, price)
        kind = "new" if before is None else "gone" if after is None else "changed"
        changes.append(SiteChange(kind, site, before if after else None, usd, why))
    return tuple(
        sorted(changes, key=lambda c: (-abs(c.usd_month or 0.0), c.site.file, c.site.line))
    )


def _told(site: CallSite) -> tuple[object, ...]:
    return site.model, site.prompts, site.tools, site.schema


def _place(site: CallSite) -> tuple[str, ...]:
    return site.file, site.function, site.library, site.method


_ALIKE: tuple[Callable[[CallSite], object], ...] = (
    lambda site: (_place(site), _told(site)),
    # What says nothing is like no other but itself.
    lambda site: (site.method, _told(site)) if site.prompts else site,
    _place,
    lambda site: site.prompts or site,
)
"""What is the same of two sites that are one, the surest first: all but the line, all that is said,
the place, the words."""


def _matched(
    old: Sequence[CallSite], new: Sequence[CallSite]
) -> list[tuple[CallSite | None, CallSite | None]]:
    """Pair sites, those of one kind in their order."""
    pairs: list[tuple[CallSite | None, CallSite | None]] = []
    for alike in _ALIKE:
        waiting: dict[object, list[CallSite]] = defaultdict(list)
        for site in old:
            waiting[alike(site)].append(site)
        left: list[CallSite] = []
        for site in new:
            others = waiting[alike(site)]
            if others:
                pairs.append((others.pop(0), site))
            else:
                left.append(site)
        old, new = [site for sites in waiting.values() for site in sites], left
    return [*pairs, *((None, site) for site in new), *((site, None) for site in old)]


def _volumes(sites: Sequence[CallSite], tasks: Sequence[Task]) -> dict[CallSite, tuple[Task, int]]:
    """Return each site's task, and how many sites share it."""
    joined = join(sites, tasks).tasks
    known = {task.id: task for task in tasks}
    by_place = {
        place: (known[task], len(places)) for task, places in joined.items() for place in places
    }
    return {site: by_place[site.place] for site in sites if site.place in by_place}


def _unknown(
    before: CallSite | None,
    after: CallSite | None,
    came: Sequence[CallSite],
    volumes: dict[CallSite, tuple[Task, int]],
) -> str:
    """Return why nobody knows what the change costs, or ""."""
    if before is None:
        return "a new site has no calls in the log yet, so its volume is unknown"
    if after is None:
        # What went from one place and came to another is no saving.
        heir = next((one for one in came if _may_be(before, one, volumes)), None)
        return f"its calls may be those of {heir.place} now" if heir else ""
    if (before.model is None) != (after.model is None):
        return "its model is set elsewhere before or after, so its price is unknown"
    if before.prompts == after.prompts:
        return ""
    # What builds a text elsewhere may stand where another text was sent before.
    fewer = len(after.prompts) < len(before.prompts) or not before.prompts
    if fewer or _hidden(before) != _hidden(after):
        return "texts of it stand elsewhere before or after, so its length is unknown"
    return ""


def _may_be(before: CallSite, after: CallSite, volumes: dict[CallSite, tuple[Task, int]]) -> bool:
    """Say whether a new site may do what one that went did: its words are out of sight or alike."""
    one, two = volumes.get(before), volumes.get(after)
    if not after.prompts or (one is not None and two is not None and one[0] is two[0]):
        return True
    words = {*" ".join(before.prompts).split()}
    return len(words & {*" ".join(after.prompts).split()}) >= _SHARE * len(words)


def _hidden(site: CallSite) -> tuple[int, int]:
    """Return in how many places a site sends what its code does not say."""
    holes = sum(text.count("{}") for text in site.prompts)
    # Where nobody counts texts that stand elsewhere, one may have come in another's place.
    return holes + (site.unseen or 0), len(site.prompts) if site.unseen is None else 0


def _priced(
    before: CallSite | None,
    after: CallSite | None,
    volumes: dict[CallSite, tuple[Task, int]],
    price: Price,
) -> tuple[float | None, str]:
    found = next((volumes[s] for s in (before, after) if s is not None and s in volumes), None)
    if found is None:
        return None, "no call of it is in the log, so its volume is unknown"
    task, sharing = found
    month = calls_month(task)
    tokens = tokens_a_call(task)
    if month is None or tokens is None:
        return None, "the log has no times or no token counts"
    model = max(task.models, key=task.models.__getitem__, default="")
    read, written = tokens
    costs: list[float] = []
    for site in (before, after):
        rates = (0.0, 0.0) if site is None else price(site.model or model)
        if rates is None:
            return None, f"no price of {(site.model if site else '') or model} is known"
        more = _more_tokens(before, site)
        costs.append((read + more) * rates[0] + written * rates[1] if site else 0.0)
    shared = f", shared by {sharing} sites" if sharing > 1 else ""
    why = f"{month / sharing:,.0f} calls a month as in the log{shared}"
    return (costs[1] - costs[0]) * month / sharing, why


def _more_tokens(before: CallSite | None, site: CallSite | None) -> float:
    """Return how many tokens longer a site's own words are than they were."""
    if before is None or site is None:
        return 0.0
    lengths = [sum(map(len, one.prompts)) for one in (before, site)]
    return (lengths[1] - lengths[0]) / _CHARS_PER_TOKEN
