"""A forked process shares what was there before it, however often it looks at it."""

import os
import subprocess
import sys

import pytest

from tests.support import ROOT

FORKED = """
import gc, os, re, sys
from pathlib import Path
from mailman_stack.forking import share

numbers = [float(each) for each in range(500_000)]  # of 12 MB
names = {each: f"name-{each}" for each in range(100_000)}  # of 6 MB
shared = sys.argv[1] == "shared"
if shared:
    share()
child = os.fork()
if not child:
    seen = sum(numbers) + sum(len(each) for each in names.values())
    numbers[0] = names["new"] = object()
    del numbers[1], names[0]
    gc.collect()
    written = re.search(r"Private_Dirty: +(\\d+)", Path("/proc/self/smaps_rollup").read_text())
    print(int(written[1]) // 1024, flush=True)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(
    ("how", "fewest", "most"), [("plain", 18, 100), ("shared", 0, 7)], ids=["plain", "shared"]
)
def test_what_is_read_stays_shared(how: str, fewest: int, most: int) -> None:
    """In MiB that a child has written; the list itself takes four, from which it removes one."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, how],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert fewest <= int(done.stdout) <= most
