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

_Key = tuple[str, str, str, str]


def site_changes(
    old: Sequence[CallSite], new: Sequence[CallSite], tasks: Sequence[Task], price: Price
) -> tuple[SiteChange, ...]:
    """Return the sites that came, went, or have another model or prompt.

    Sites of one function that call alike are matched in their order; what is the same but for its
    line is no change. A site's calls and tokens are those of its task in the log, shared evenly
    among the task's sites: a site without a task has a cost that nobody knows yet.
    """
    volumes = _volumes(old, tasks) | _volumes(new, tasks)
    changes: list[SiteChange] = []
    for before, after in _matched(old, new):
        if before is not None and after is not None and _alike(before, after):
            continue
        site = after or before
        assert site is not None
        usd, why = _priced(before, after, volumes, price)
        kind = "new" if before is None else "gone" if after is None else "changed"
        changes.append(SiteChange(kind, site, before if after else None, usd, why))
    return tuple(
        sorted(changes, key=lambda c: (-abs(c.usd_month or 0.0), c.site.file, c.site.line))
    )


def _alike(one: CallSite, two: CallSite) -> bool:
    return (one.model, one.prompts, one.tools, one.schema) == (
        two.model,
        two.prompts,
        two.tools,
        two.schema,
    )


def _matched(
    old: Sequence[CallSite], new: Sequence[CallSite]
) -> list[tuple[CallSite | None, CallSite | None]]:
    """Pair sites: those that say the same first, then by their order in their function."""
    waiting: dict[_Key, list[CallSite]] = defaultdict(list)
    for site in old:
        waiting[_key(site)].append(site)
    pairs: list[tuple[CallSite | None, CallSite | None]] = []
    left: list[CallSite] = []
    for site in new:
        same = next((one for one in waiting[_key(site)] if _alike(one, site)), None)
        if same is None:
            left.append(site)
        else:
            waiting[_key(site)].remove(same)
            pairs.append((same, site))
    for site in left:
        others = waiting[_key(site)]
        pairs.append((others.pop(0) if others else None, site))
    return [*pairs, *((site, None) for sites in waiting.values() for site in sites)]


def _key(site: CallSite) -> _Key:
    return site.file, site.function, site.library, site.method


def _volumes(sites: Sequence[CallSite], tasks: Sequence[Task]) -> dict[CallSite, tuple[Task, int]]:
    """Return each site's task, and how many sites share it."""
    joined = join(sites, tasks).tasks
    known = {task.id: task for task in tasks}
    by_place = {
        place: (known[task], len(places)) for task, places in joined.items() for place in places
    }
    return {site: by_place[site.place] for site in sites if site.place in by_place}


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
