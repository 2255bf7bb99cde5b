"""The room's door: two functions, and their templates travel with the package."""

from importlib import resources

from tests.web import samples

from stepdown import web


def test_the_two_pages_can_be_made_from_the_package() -> None:
    audit = web.audit_page(samples.audit(), made_at="", version="1")
    proof = web.proof_page(samples.proof_certified(), None, version="1")
    assert audit.startswith("<!DOCTYPE html>") and proof.startswith("<!DOCTYPE html>")


def test_data_files_are_inside_the_package() -> None:
    folder = resources.files("stepdown.web")
    assert (folder / "style.css").is_file()
    assert (folder / "templates" / "base.html.jinja").is_file()
