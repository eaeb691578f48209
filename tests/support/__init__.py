"""What the tests share: the stack, mail, waiting, and evidence of what went wrong."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = ROOT / "tests" / ".run"
"""Files of a test run, below the checkout, where the engine sees what it mounts."""
