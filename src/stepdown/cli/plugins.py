"""`stepdown plugins`: what is installed beside and behind the built-in formats and families."""

from typing import Any

import click

from stepdown import plugins as registry
from stepdown.cli.options import Session, common, print_json
from stepdown.render import show, table

__all__ = ["plugins"]


@click.command()
@common
def plugins(session: Session) -> None:
    """List log formats, student families, providers and engines, each with its package."""
    rows: list[dict[str, Any]] = [
        {
            "kind": kind,
            "name": point.name,
            "package": point.dist.name if point.dist else "unknown",
            "module": point.value.partition(":")[0],
        }
        for kind in registry.KINDS
        for point in registry.listed(kind)
    ]
    if session.json:
        print_json({"plugins": rows})
        return
    show(table("Plug-ins", ["kind", "name", "package", "module"], [list(r.values()) for r in rows]))
