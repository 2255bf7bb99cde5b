"""S-16 over replicas: whoever asks, no more than the cap is ever set aside in all."""

import threading

import pytest

from stepdown.errors import InputError
from stepdown.store.postgres_purse import PostgresPurse


@pytest.fixture
def purse(url):
    made = PostgresPurse(url)
    yield made
    made.close()


def test_what_is_leased_is_settled_and_given_back(purse):
    assert purse.spent("k", "2026-11") == 0
    assert purse.lease("k", "2026-11", 60, 100) == 60
    assert purse.lease("k", "2026-11", 60, 100) == 40
    assert purse.lease("k", "2026-11", 1, 100) == 0
    assert purse.lease("few", "2026-11", 120, 100, 101) == 0 == purse.spent("few", "2026-11")
    assert purse.lease("few", "2026-11", 120, 100, 100) == 100
    purse.settle("k", "2026-11", -30)
    purse.settle("k", "2026-11", 5)
    assert purse.spent("k", "2026-11") == 75
    assert purse.lease("k", "2026-12", 60, 100) == 60
    purse.settle("k", "2026-12", -1000)
    assert purse.spent("k", "2026-12") == 0


def test_it_outlives_its_gateway(url, purse):
    purse.lease("k", "total", 70, 100)
    purse.close()
    other = PostgresPurse(url)
    assert other.lease("k", "total", 70, 100) == 30
    other.close()


def test_s16_many_gateways_never_exceed_a_cap(url, figure):
    cap, granted = 1_000_000, []

    def spend(number):
        one = PostgresPurse(url)
        while amount := one.lease("k", "2026-11", 7_001 + number, cap):
            granted.append(amount)
            if len(granted) % 5 == 0:
                one.settle("k", "2026-11", -1000)
                granted.append(-1000)
        one.close()

    threads = [threading.Thread(target=spend, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == cap
    figure("6 replicas leasing from one Postgres purse: exactly the cap, never more")


def test_a_connection_that_was_dropped_is_opened_again(server, url, purse):
    assert purse.lease("k", "w", 10, 100) == 10
    server.ask(
        url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    )
    assert purse.lease("k", "w", 10, 100) == 10
    assert purse.spent("k", "w") == 20


def test_without_a_database_nothing_can_be_spent():
    purse = PostgresPurse("postgresql://u:s3cret@127.0.0.1:1/d")
    with pytest.raises(InputError, match="nothing can be spent") as told:
        purse.lease("k", "w", 1, 10)
    assert "s3cret" not in str(told.value)
    purse.close()


def test_old_windows_are_forgotten(server, url, purse):
    purse.lease("k", "2020-01", 5, 10)
    purse.lease("k", "total", 5, 10)
    purse.close()
    assert purse.spent("k", "2020-01") == 0
    assert purse.spent("k", "total") == 5
