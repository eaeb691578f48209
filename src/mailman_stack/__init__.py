"""What the containers of the stack share: settings, templates, and how a daemon is started."""

from pathlib import Path

LOCAL = Path("/etc/mailman-stack/local")
"""The operator's own files."""
