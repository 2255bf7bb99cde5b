"""What a gateway is given for its keys and its administration: files, prices, the admin secret."""

import os

from stepdown.cli.options import Session
from stepdown.cli.pricing import price_by
from stepdown.config import Config
from stepdown.core.calls import Usage
from stepdown.core.keys import NewKey, VirtualKey
from stepdown.core.ports import Purse
from stepdown.serve.desk import Desk
from stepdown.serve.settings import AdminPlane
from stepdown.workspace.keys import add_key, key_reader, revoke_key

__all__ = ["desk_of", "plane_of"]


def desk_of(session: Session, purse: Purse, *, soon: bool = False) -> Desk:
    """Return where the workspace's keys are read, made, revoked and paid from.

    Where they are wanted `soon` the price list is loaded now: no caller should wait for it.
    """
    path, price = session.workspace.keys, price_by(session.config)
    if soon:
        price("", "any", Usage(0, 0))

    def add(new: NewKey) -> tuple[str, VirtualKey]:
        return add_key(path, new)

    def revoke(wanted: str) -> VirtualKey:
        return revoke_key(path, wanted)

    return Desk(key_reader(path), price, purse, add, revoke)


def plane_of(config: Config) -> AdminPlane | None:
    """Return the plane of administration; None where it is not asked for, or has no secret."""
    own = config.admin
    secret = os.environ.get(own.secret_env, "").strip() if own else ""
    if own is None or not secret:
        return None
    return AdminPlane(secret, own.host, own.port, own.allow_remote, own.hosts)
