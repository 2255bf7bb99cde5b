"""The tree in the docstring is the tree in the code."""

from stepdown import errors


def test_every_error_is_in_the_docstring_and_in_all():
    names = {n for n, v in vars(errors).items() if isinstance(v, type)}
    assert names == set(errors.__all__)
    assert all(name in (errors.__doc__ or "") for name in names)


def test_exit_statuses_are_those_of_the_surface():
    assert errors.UsageError.exit_status == errors.InputError.exit_status == 2
    assert errors.ArtefactError.exit_status == errors.LogError.exit_status == 2
    assert errors.NotCertified.exit_status == errors.NotEnoughData.exit_status == 1
