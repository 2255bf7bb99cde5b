"""One model, learnt once for all tests of this folder."""

import pytest
from tests.students.windows.contracts import FIELDS, make_contracts

from stepdown.students.windows.training import fit_windows


@pytest.fixture(scope="session")
def contracts():
    return make_contracts(40)


@pytest.fixture(scope="session")
def condensed(contracts):
    return fit_windows(FIELDS, contracts)
