"""The example of storage/README.md runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "storage/README.md"


def test_example_runs() -> None:
    example = re.search(r"```python\n(import asyncio.*?)```", README.read_text(), re.DOTALL)
    assert example
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example[1]],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "node-a writes",
        "node-b waits for user/17",
        "node-b writes",
        "1",
        "b'hello'",
    ]


def test_package_needs_no_library_without_etcd() -> None:
    """Each engine but etcd's, and all on top of them, with no third-party module."""
    code = """
import sys
import l7lb_storage, l7lb_storage.lockd.client, l7lb_storage.lockd.server
outside = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(sorted(outside - {"l7lb_storage", "__main__"}))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"aiohttp", "l7lb", "l7lb_protocols", "pydantic"} & set(eval(done.stdout))
