"""How every container starts: settings, files, the daemon's own check, then the daemon itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from mailman_stack import tls
from mailman_stack.failing import SettingsError, fail
from mailman_stack.render import render
from mailman_stack.settings import Settings, load

Command = list[str]


def execute(command: Command) -> Callable[[Settings], None]:
    """Start a daemon by putting it in this process's place."""
    return lambda _settings: os.execvp(command[0], command)


@dataclass(frozen=True)
class Service:
    """What one container renders, checks and runs."""

    name: str
    """As in compose.yaml; its secrets are those declared for this name."""

    config: str
    """Folder below ``config/`` with the templates."""

    start: Callable[[Settings], None]
    """Runs the daemon, usually by `execute`, after whatever must be true before it starts."""

    facts: Callable[[Settings], Mapping[str, Any]] = lambda _settings: {}
    """What the templates need besides the settings, found out at the start."""

    checks: Sequence[Command] = ()
    """Commands that read the rendered files with the daemon's own parser; all must exit 0."""

    def run(self, arguments: Command) -> NoReturn:
        """Start the daemon, or the command given instead of it (``docker compose run core bash``).

        Exits with 78 (EX_CONFIG) and a line for each problem where the configuration is wrong.
        """
        if arguments:
            os.execvp(arguments[0], arguments)
        # The kernel keeps SIGTERM from a first process that does not handle it (pid_namespaces(7)).
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
        try:
            settings = load(self.name)
            facts = self.facts(settings)
            # For Python's own TLS (SSL_CTX_set_default_verify_paths(3)), here and in what follows.
            os.environ["SSL_CERT_FILE"] = str(tls.authorities())
        except SettingsError as error:
            fail(self.name, error.problems)
        for path in render(self.config, settings, **facts):
            print(f"{self.name}: wrote {path}", flush=True)
        for check in self.checks:
            self._check(check)
        self.start(settings)
        sys.exit()

    def _check(self, command: Command) -> None:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            output = (result.stdout + result.stderr).strip().splitlines()
            fail(self.name, [f"{command[0]} refuses the configuration:", *output])
