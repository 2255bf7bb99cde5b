"""Print what CI watches: import time of `stepdown`, what it loads, and lines against the budget."""

import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
MAX_LINES = 70_500
PROBE = """
import sys, time
began = time.perf_counter()
import stepdown
took = time.perf_counter() - began
print(took * 1000, sorted({n.split(".")[0] for n in sys.modules} - set(sys.stdlib_module_names)))
"""


def main() -> int:
    """Print the figures; fail when the line budget is broken or an import loads a library."""
    runs = [
        subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
        for _ in range(7)
    ]
    times = [float(run.stdout.split(" ", 1)[0]) for run in runs]
    loaded = runs[0].stdout.split(" ", 1)[1].strip()
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "src").rglob("*.py")
    )
    print(
        f"import stepdown: {median(times):.1f} ms (median of 7); loads beside the stdlib: {loaded}"
    )
    print(f"lines of source: {lines:,} of {MAX_LINES:,}")
    return int(lines > MAX_LINES)


if __name__ == "__main__":
    sys.exit(main())
