"""What a failure leaves behind, for whoever reads it later without the machine."""

import re
import shutil
from pathlib import Path

from tests.support import ROOT
from tests.support.stack import Stack

EVIDENCE = ROOT / "tests" / "evidence"

COMMANDS = {
    "containers.txt": ("ps", "--all"),
    "logs.txt": ("logs", "--no-color", "--timestamps"),
    "mta-queue.txt": ("exec", "-T", "mta", "mailq"),
    "mta-config.txt": ("exec", "-T", "mta", "sh", "-c",
                       "tail -n +1 /etc/postfix/m*.cf /etc/exim4/* /etc/mail/*.[cm][fc]"),
    "core-queue.txt": ("exec", "-T", "core", "find", "/var/lib/mailman/queue", "-type", "f"),
    "core-config.txt": ("exec", "-T", "core", "sh", "-c", "cat /etc/mailman3/*"),
    "core-maps.txt": ("exec", "-T", "core", "sh", "-c",
                      "cd /var/lib/mailman/data; ls lists; tail -n +1 *_lmtp *_domains *_vmap"),
    "web-config.txt": ("exec", "-T", "web", "sh", "-c", "cat /etc/uwsgi/*"),
    "mail.json": ("exec", "-T", "catcher", "node", "-e",
                  "fetch('http://127.0.0.1:1080/api/email').then(r=>r.text()).then(console.log)"),
}  # fmt: skip


def collect(stack: Stack, name: str) -> Path:
    """Write the state of the stack below tests/evidence/; every secret is blotted out."""
    directory = EVIDENCE / re.sub(r"\W+", "-", name)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    secrets = [path.read_text().strip() for path in (stack.directory / "secrets").glob("*")]
    for file, arguments in COMMANDS.items():
        result = stack.compose(*arguments, check=False)
        text = result.stdout + result.stderr
        for secret in filter(None, secrets):
            text = text.replace(secret, "(secret)")
        (directory / file).write_text(text)
    return directory
