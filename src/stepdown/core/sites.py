"""Call sites: the places in a team's code where a language model is called."""

from typing import Literal

import msgspec

__all__ = ["CallSite", "CodeReport", "SiteChange"]


class CallSite(msgspec.Struct, frozen=True):
    """What the code itself says of one call; None and () where it is decided elsewhere.

    `file` is relative to the folder that was scanned, `line` counts from 1, `function` is the
    qualified name of the function around it ("" at the top of a file). `library` is who is called
    and `method` how. `prompts` are the texts that stand in the code, `{}` in each place that is
    filled in; `tools` and `schema` are names. `unseen` counts the texts that are sent and stand
    elsewhere, where the reader of that language counts them.
    """

    file: str
    line: int
    library: str
    method: str
    function: str = ""
    model: str | None = None
    prompts: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    schema: str | None = None
    unseen: int | None = None

    @property
    def place(self) -> str:
        """Where it stands: "file:line"."""
        return f"{self.file}:{self.line}"


class SiteChange(msgspec.Struct, frozen=True):
    """A site that came, went, or has another model or prompt; `before` is how a changed one was.

    A site that only moved to another place is no change. `usd_month` is what the change adds to the
    bill, in US dollars a month; None is unknown, and `why` says what either rests on.
    """

    change: Literal["new", "gone", "changed"]
    site: CallSite
    before: CallSite | None
    usd_month: float | None
    why: str


class CodeReport(msgspec.Struct, frozen=True):
    """The log and the code side by side.

    `tasks` has for each task's id the places of its call sites ("file:line"), `unplaced` the ids of
    tasks that no site was found for, `silent` the sites of which no call is in the log. A site
    whose words all come from elsewhere is `unknown`: it may be any task's. `files` and `lines` were
    scanned, `unread` says of each file that could not be read why, `notes` are sentences. `changes`
    are those since another revision, where one was named.
    """

    sites: tuple[CallSite, ...]
    tasks: dict[str, tuple[str, ...]]
    unplaced: tuple[str, ...]
    silent: tuple[str, ...]
    unknown: tuple[str, ...]
    files: int = 0
    lines: int = 0
    unread: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    changes: tuple[SiteChange, ...] | None = None
