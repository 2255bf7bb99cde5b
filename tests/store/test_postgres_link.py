"""Connections to the database: their addresses, and an end to all that takes too long."""

import time

import psycopg
import pytest

from stepdown.errors import ConfigError
from stepdown.store.postgres_link import checked_url, connect, deadline, limited, told


def test_an_address_is_one():
    assert checked_url("postgresql://u:p%40ss@h:1/d?sslmode=require")
    with pytest.raises(ConfigError, match="percent-encode"):
        checked_url("postgresql://u:p@ss@h/d")


def test_the_server_ends_a_statement_that_takes_too_long(url):
    with (
        connect(url) as connection,
        pytest.raises(psycopg.errors.QueryCanceled),
        limited(connection, 0.2),
    ):
        connection.execute("SELECT pg_sleep(10)")


def test_a_silent_server_is_cut_off_on_this_side(server, url):
    began = time.monotonic()
    with connect(url) as connection, server.frozen():
        with pytest.raises(psycopg.OperationalError), deadline(connection, 0.3):
            connection.execute("SELECT 1")
        assert connection.broken
    assert time.monotonic() - began < 10


def test_a_message_is_one_line_without_the_password(monkeypatch):
    problem = psycopg.OperationalError("no\n  such secret-word")
    assert told(problem, "postgresql://u:secret-word@h/d") == "no such ***"
    monkeypatch.setenv("PGPASSWORD", "such")
    assert told(problem, "postgresql://u@h/d") == "no *** secret-word"
    assert told(psycopg.OperationalError(), "postgresql://u@h/d") == "OperationalError"
