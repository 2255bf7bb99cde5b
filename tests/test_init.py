"""The package itself: light to import, with the one library function on first use."""

import subprocess
import sys

LOOK = """
import sys
before = set(sys.modules)
import stepdown
assert "stepdown.core" not in sys.modules
tier = stepdown.route_to_model("prose", 0.5)
assert tier == "mid"
roots = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(roots - set(sys.stdlib_module_names)))
"""


def test_the_package_and_its_function_load_msgspec_alone():
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    # msgspec itself loads typing_extensions where it is installed.
    assert set(done.stdout.split()) - {"typing_extensions"} == {"msgspec", "stepdown"}


def test_all_that_it_offers_is_there():
    import stepdown

    assert all(getattr(stepdown, name) for name in stepdown.__all__)
