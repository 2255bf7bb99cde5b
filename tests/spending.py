"""What stands in a workspace's `spend.db`, for tests."""

import sqlite3
from contextlib import closing
from urllib.parse import quote


def read_spending(path):
    """Return the nanodollars set aside or spent by account and window; a live file can be read."""
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)) as file:
        rows = file.execute("SELECT account, window, nanodollars FROM spent").fetchall()
    return {(account, window): amount for account, window, amount in rows}
