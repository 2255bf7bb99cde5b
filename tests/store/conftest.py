"""The database that the shared store is tried on."""

import pytest
from tests.store.database import running_server


@pytest.fixture(scope="session")
def server():
    with running_server() as made:
        yield made


@pytest.fixture
def url(server):
    return server.fresh()
