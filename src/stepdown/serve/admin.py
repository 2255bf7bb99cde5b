"""The plane of administration: an application of its own, for a port of its own.

It is there only where a secret is set. Whoever presents it may do everything here; whoever presents
another too often has to wait. What changes something takes a Host that is the plane's own and no
foreign Origin, so that no page in an operator's browser can do it.
"""

import asyncio
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from stepdown.core.keys import Allowance, NewKey, shown_key
from stepdown.errors import InputError, StepdownError, UsageError
from stepdown.serve.app import metrics_page, standing
from stepdown.serve.callers import credentials
from stepdown.serve.gateway import Gateway, log
from stepdown.serve.headers import Headers, header
from stepdown.serve.metrics import CONTENT_TYPE
from stepdown.serve.replies import Receive, Reply, Scope, Send, json_reply, problem, read_body
from stepdown.serve.replies import send_reply as send_whole
from stepdown.serve.roles import ADMIN, admitted_as
from stepdown.serve.settings import AdminPlane

__all__ = ["ADMIN_HANDLERS", "Lockout", "make_admin"]

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Handler = Callable[[Gateway, str, bytes], Awaitable[Reply]]
"""handler(gateway, the part of the path that a `*` stands for, body) → what is answered."""

_READING = ("GET", "HEAD")
_HEADERS: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_STRANGER = problem(401, "This takes the admin secret as the bearer token.", "invalid_secret")
_FOREIGN = problem(
    421,
    "A change has to name one of the admin plane's own hosts, and come from no other origin; see "
    "[admin] hosts in stepdown.toml.",
    "foreign_host",
)
_NOWHERE = problem(404, "There is nothing at this path; the plane is below /admin.", "not_found")


class Lockout:
    """Counts wrong secrets by address; after some in a row an address has to wait.

    Only so many addresses are remembered: the one that was wrong longest ago makes room.
    """

    def __init__(self, tries: int = 5, seconds: float = 60.0, most: int = 1000) -> None:
        self._tries = tries
        self._seconds = seconds
        self._most = most
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return how long the address has to wait; 0: not at all."""
        count, since = self._wrong.get(address, (0, 0.0))
        left = since + self._seconds - time.monotonic()
        return max(0.0, left) if count >= self._tries else 0.0

    def wrong(self, address: str) -> None:
        """Note a wrong secret; an old failure is forgotten."""
        count, since = self._wrong.pop(address, (0, 0.0))
        now = time.monotonic()
        if since + self._seconds < now:
            count = 0
        self._wrong[address] = (count + 1, now)
        if len(self._wrong) > self._most:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget what was wrong before."""
        self._wrong.pop(address, None)


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """The body that makes a key."""

    name: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    escalations_per_minute: int | None = None
    usd: float | None = None
    period: Any = "total"
    tasks: tuple[str, ...] = ()
    expires: float | None = None


def make_admin(gateway: Gateway, plane: AdminPlane) -> App:
    """Return the ASGI application of a gateway's administration.

    Raises:
        LookupError: a handler has no entry in the table of roles.
    """
    for path, methods in ADMIN_HANDLERS.items():
        for method in methods:
            admitted_as(ADMIN, path, method)
    lockout = Lockout()
    secret = plane.secret.encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = _refusal(scope, plane, secret, lockout)
        if refusal is None:
            reply = await _answered(gateway, scope, receive)
        else:
            reply = refusal
        if reply is not None:
            await send_whole(send, reply, _HEADERS)

    return app


def _refusal(scope: Scope, plane: AdminPlane, secret: bytes, lockout: Lockout) -> Reply | None:
    """Return why the request is not let in, whatever it asks for."""
    address = (scope.get("client") or ("",))[0]
    headers: Headers = scope["headers"]
    wait = lockout.wait_s(address)
    if wait:
        message = f"Too many wrong secrets; try again in {math.ceil(wait)} s."
        return problem(429, message, "locked_out", retry_after_s=math.ceil(wait))
    if not any([hmac.compare_digest(presented, secret) for presented in credentials(headers)]):
        lockout.wrong(address)
        return _STRANGER
    lockout.right(address)
    if scope["method"] not in _READING and not _is_own(headers, plane):
        return _FOREIGN
    return None


def _is_own(headers: Headers, plane: AdminPlane) -> bool:
    """Say whether a change comes from nowhere else: by its Host and, where it has one, Origin."""
    host, origin = header(headers, b"host"), header(headers, b"origin")
    if host not in plane.own_hosts():
        return False
    try:
        return not origin or urlsplit(origin).netloc in plane.own_hosts()
    except ValueError:
        return False


async def _answered(gateway: Gateway, scope: Scope, receive: Receive) -> Reply | None:
    methods, wanted = _found(scope["path"])
    handler = methods.get(scope["method"])
    if handler is None:
        if not methods:
            return _NOWHERE
        allowed = ", ".join(methods)
        reply = problem(405, f"This path takes {allowed} only.", "method_not_allowed")
        return Reply(reply.status, reply.body, [*reply.headers, (b"allow", allowed.encode())])
    body = await read_body(receive)
    if body is None:
        return None
    try:
        return await handler(gateway, wanted, body)
    except StepdownError as refused:
        return problem(400 if refused.exit_status == 2 else 409, str(refused), "refused")
    except Exception as bug:  # noqa: BLE001 - one request's fault must not end the plane
        log.exception("An admin request failed: %s", type(bug).__name__)
        return problem(500, "The gateway failed on this; its log has the details.", "internal")


def _found(path: str) -> tuple[Mapping[str, Handler], str]:
    methods = ADMIN_HANDLERS.get(path)
    if methods is not None and "*" not in path:
        return methods, ""
    for pattern, found in ADMIN_HANDLERS.items():
        before, star, after = pattern.partition("*")
        wanted = path.removeprefix(before).removesuffix(after)
        if star and path == f"{before}{wanted}{after}" and wanted and "/" not in wanted:
            return found, wanted
    return {}, ""


async def _status(gateway: Gateway, wanted: str, body: bytes) -> Reply:
    keys = gateway.callers.states(time.time())
    shown = {
        **standing(gateway),
        "under_way": gateway.under_way,
        "uptime_seconds": round(time.time() - gateway.started_at, 1),
        "keys": keys,
        "keys_required": gateway.callers.required,
        "students_held": sorted(gateway.students.held),
    }
    return json_reply(shown)


async def _list_keys(gateway: Gateway, wanted: str, body: bytes) -> Reply:
    now = time.time()
    accounts = gateway.till.accounts
    rows = [
        shown_key(key, now)
        | {
            "asked": accounts[key.id].asked if key.id in accounts else 0,
            "refused": accounts[key.id].refused if key.id in accounts else 0,
        }
        for key in gateway.callers.virtual_keys()
    ]
    return json_reply({"keys": rows})


async def _add_key(gateway: Gateway, wanted: str, body: bytes) -> Reply:
    try:
        asked = msgspec.json.decode(body, type=_Wanted)
        allowance = msgspec.convert(
            {name: getattr(asked, name) for name in Allowance.__struct_fields__}, Allowance
        )
    except (ValueError, RecursionError) as wrong:
        raise InputError(f"This makes no key ({str(wrong)[:200]}).") from wrong
    numbers = (*msgspec.structs.astuple(allowance)[:3], allowance.usd)
    if any(number is not None and not 0 < number < math.inf for number in numbers):
        raise InputError("A key's limits are above 0; leave out what is to have none.")
    new = NewKey(asked.name, allowance, asked.tasks, asked.expires)
    whole, key = await asyncio.to_thread(gateway.desk.add, new)
    await gateway.take_up_keys()
    unknown = [name for name in key.tasks if not gateway.loaded.tasks.named(name)]
    told = {"unknown_tasks": unknown} if unknown else {}
    return json_reply({"key": whole, **shown_key(key, time.time()), **told}, 201)


async def _revoke_key(gateway: Gateway, wanted: str, body: bytes) -> Reply:
    try:
        key = await asyncio.to_thread(gateway.desk.revoke, wanted)
    except UsageError as unknown:
        return problem(404, str(unknown), "not_found")
    await gateway.take_up_keys()
    return json_reply(shown_key(key, time.time()))


async def _spend(gateway: Gateway, wanted: str, body: bytes) -> Reply:
    till = gateway.till
    try:
        rows = [
            {"key": key.id, "name": key.name, **found}
            for key in gateway.callers.virtual_keys()
            if key.allowance.usd is not None and (found := await till.spending(key)) is not None
        ]
        return json_reply({"keys": rows, "gateway": await till.spending(None)})
    except StepdownError as down:
        return problem(503, str(down), "spending_unavailable", retry_after_s=2)


async def _reload(gateway: Gateway, wanted: str, body: bytes) -> Reply:
    config = await gateway.reload()
    workers = await gateway.pass_on("reload")
    await gateway.take_up_keys()
    shown = {"config": config, "generation": gateway.loaded.generation, "workers": workers}
    return json_reply({**shown, "keys": gateway.callers.generation})


async def _student_off(gateway: Gateway, wanted: str, body: bytes) -> Reply:
    return await _held(gateway, wanted, off=True)


async def _student_on(gateway: Gateway, wanted: str, body: bytes) -> Reply:
    return await _held(gateway, wanted, off=False)


async def _held(gateway: Gateway, student: str, *, off: bool) -> Reply:
    served = {live.student.id for live in gateway.loaded.routes.values()}
    if student not in served and (off or student not in gateway.students.held):
        return problem(404, f"No student {student[:80]!r} is served here.", "not_found")
    if off:
        gateway.students.held.add(student)
    else:
        gateway.students.held.discard(student)
    workers = await gateway.pass_on(f"{'off' if off else 'on'} {student}")
    return json_reply({"student": student, "off": off, "workers": workers})


async def _metrics(gateway: Gateway, wanted: str, body: bytes) -> Reply:
    return Reply(200, await metrics_page(gateway), [(b"content-type", CONTENT_TYPE)])


ADMIN_HANDLERS: Mapping[str, Mapping[str, Handler]] = {
    "/admin/status": {"GET": _status},
    "/admin/keys": {"GET": _list_keys, "POST": _add_key},
    "/admin/keys/*": {"DELETE": _revoke_key},
    "/admin/spend": {"GET": _spend},
    "/admin/reload": {"POST": _reload},
    "/admin/students/*/off": {"POST": _student_off},
    "/admin/students/*/on": {"POST": _student_on},
    "/metrics": {"GET": _metrics},
}
