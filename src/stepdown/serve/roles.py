"""Who may do what: every path and method of both planes with the role that it takes.

The applications are driven by these tables. What is not in them is refused, and a handler without
an entry keeps the gateway from starting.
"""

from collections.abc import Mapping
from typing import Literal

__all__ = ["ADMIN", "ANY", "CALLS", "Role", "Table", "admitted_as"]

Role = Literal["anyone", "caller", "watcher", "admin"]
"""`anyone`: no question asked. `caller`: with one of the gateway's keys, where it wants one.
`watcher`: on this machine, or with a client key of the configuration. `admin`: with the secret."""

Table = Mapping[str, Mapping[str, Role]]

ANY = "*"
"""Any method; as the last part of a path, any path below."""

CALLS: Table = {
    "/v1/chat/completions": {"POST": "caller"},
    "/v1/messages": {"POST": "caller"},
    "/v1/responses": {"POST": "caller"},
    "/v1/models": {"GET": "caller"},
    "/v1/models/*": {"GET": "caller"},
    "/v1/route": {"POST": "caller"},
    "/v1/*": {ANY: "caller"},
    "/health": {"GET": "anyone", "HEAD": "anyone"},
    "/healthz": {"GET": "anyone", "HEAD": "anyone"},
    "/readyz": {"GET": "anyone", "HEAD": "anyone"},
    "/metrics": {"GET": "watcher"},
}
"""The plane of calls, on the gateway's own port."""

ADMIN: Table = {
    "/admin/status": {"GET": "admin"},
    "/admin/keys": {"GET": "admin", "POST": "admin"},
    "/admin/keys/*": {"DELETE": "admin"},
    "/admin/spend": {"GET": "admin"},
    "/admin/reload": {"POST": "admin"},
    "/admin/students/*/off": {"POST": "admin"},
    "/admin/students/*/on": {"POST": "admin"},
    "/metrics": {"GET": "admin"},
}
"""The plane of administration, on a port of its own."""


def admitted_as(table: Table, path: str, method: str) -> Role:
    """Return the role that a path of a table takes for a method.

    Raises:
        LookupError: the table has no such entry: nobody may.
    """
    methods = table[path]
    return methods[ANY] if method not in methods else methods[method]
