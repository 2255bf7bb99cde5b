"""Rows that belong together are held out together."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.datasets import Example


@given(st.text(), st.text(), st.text())
def test_kin_are_of_one_group_or_else_of_one_cluster(a, b, name):
    assert Example(a, (), {}, group=f"g{name}").kin == Example(b, (), {}, group=f"g{name}").kin
    assert Example(a, (), {}, cluster=f"c{name}").kin == Example(b, (), {}, cluster=f"c{name}").kin
    assert Example(a, (), {}, cluster=b, group=f"g{name}").kin >= 0


def test_without_either_each_row_is_its_own():
    assert len({Example(f"e{at}", (), {}).kin for at in range(100)}) == 100
