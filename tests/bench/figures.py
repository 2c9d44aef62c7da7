"""Runs a suite and prints where its time went and what the metering cost.

python tests/bench/figures.py [SUITE]
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.store import RunFolder


def main() -> None:
    """Run the suite in a new folder and print its shares of wall time."""
    suite = sys.argv[1] if len(sys.argv) > 1 else "quick"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        started_s = time.perf_counter()
        command = [sys.executable, "-P", "-m", "harness", "run", suite, "-o", str(path)]
        done = subprocess.run(command, check=False)
        report(path, time.perf_counter() - started_s)
    sys.exit(done.returncode)


def report(path: Path, wall_s: float) -> None:
    """Shares of the wall time, and processor seconds of meter and supervisor."""
    records = [r for r in RunFolder(path).records().records if r.window]
    windows_s = sum(r.window.duration_s for r in records if r.window)
    setup_s = sum(r.setup.duration_s for r in records if r.setup)
    preparations = path / "preparations.jsonl"
    lines = preparations.read_text().splitlines() if preparations.exists() else []
    training_s = sum(json.loads(line)["duration_s"] for line in lines)
    meter_s = [r.meter.cpu_s or 0.0 for r in records]
    supervisor_s = [r.meter.supervisor_cpu_s or 0.0 for r in records]
    rows = [
        ("wall time", f"{wall_s:.1f} s, {len(records)} trials"),
        ("inside windows", f"{windows_s:.1f} s, {windows_s / wall_s:.0%}"),
        (
            "training reference weights",
            f"{training_s:.1f} s, {training_s / wall_s:.0%}",
        ),
        ("setup of trials", f"{setup_s:.1f} s, {setup_s / wall_s:.0%}"),
        ("meter", f"{sum(meter_s) / len(records):.4f} CPU s a trial"),
        ("supervisor", f"{sum(supervisor_s) / len(records):.4f} CPU s a trial"),
        ("both, of one core", f"{(sum(meter_s) + sum(supervisor_s)) / wall_s:.2%}"),
    ]
    for name, value in rows:
        sys.stdout.write(f"{name:28}{value}\n")


if __name__ == "__main__":
    main()
