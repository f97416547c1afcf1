"""The simulation of hot files: seeded, so its figures may be asserted; they are no times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json
from benchmarks.hotfiles.trace import trace
from benchmarks.hotfiles.viewings import CHOICES, EACH, counted
one, again, other = (trace(seed, 1000) for seed in (1, 1, 2))
assert one == again != other and len(one.viewings) == 1000
found = {kind: counted(kind, 1, 9000, EACH) for kind in CHOICES}
print(json.dumps({
    kind: [each.shared_percent, each.hit_percent, each.busiest, each.peak]
    for kind, each in found.items()
}))
"""
pytestmark = pytest.mark.timeout(240)


def python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ours_reads_less_from_shared_storage_and_stays_even() -> None:
    found = json.loads(python("-c", SCRIPT))
    shared, hits, busiest, peak = zip(*found.values(), strict=True)
    assert list(found) == ["l7lb", "round-robin", "path hash"]
    assert shared[0] < 0.8 * shared[1], "a short trace, most of it cold"
    assert hits[0] > 1.5 * hits[1]
    assert busiest[0] < 1.15 < busiest[2]
    assert peak[0] < 1.15 < peak[2]


def test_its_cases_give_figures(tmp_path: Path) -> None:
    options = ("--host-network", "--rounds", "1", "--seconds", "1", "--folder", str(tmp_path))
    shown = python("-m", "benchmarks", "hotfiles-shared", "hotfiles-busiest", *options)
    assert "hit ratio in bytes, %, round-robin" in shown
    found = json.loads((tmp_path / "hotfiles-shared.json").read_text())
    assert set(found["rounds"]) == {"l7lb", "round-robin", "path hash"}
    assert found["reached"] == found["ratios"]["round-robin"]
