"""The address of an API as it is configured."""

__all__ = ["root_of"]


def root_of(address: str) -> str:
    """Return an API's root: an address without a path is taken for one whose API is under /v1."""
    root = address.rstrip("/")
    return f"{root}/v1" if root.count("/") == 2 else root
