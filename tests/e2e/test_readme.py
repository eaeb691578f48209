"""What README tells a newcomer to type, typed."""

import re
import shlex
import subprocess

from tests.support import ROOT, wait
from tests.support.stack import Stack

TRIAL_SMTP = '"127.0.0.1", 2525'
MEMBER = "reader@example.com"


def first_list_commands(stack: Stack) -> str:
    """README's commands for a first list, for this stack instead of the reader's."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    commands: str = next(block for block in blocks if "mailman create" in block)
    assert TRIAL_SMTP in commands
    commands = commands.replace(TRIAL_SMTP, f'"{stack.address("mta")}", 25')
    return commands.replace("docker compose", shlex.join(stack.compose_command))


def test_the_first_list_of_the_readme(stack: Stack) -> None:
    commands = first_list_commands(stack)
    try:
        subprocess.run(["bash", "-ec", commands], env=stack.environment, check=True)
        mail = stack.catcher.wait_to(MEMBER, "Hello")
        link = mail.message["Archived-At"].strip("<>")
        page = wait.until("the archive link opens", lambda: stack.open(link))
        assert "A first post." in page
    finally:
        stack.rest.get_list("test@lists.example.com").delete()
