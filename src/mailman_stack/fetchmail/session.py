"""fetchmail's sessions with one mailbox: begun, watched, ended, and begun again."""

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterable

from mailman_stack.fetchmail.account import RUN, Account
from mailman_stack.fetchmail.gateway import CORE, Gateway
from mailman_stack.fetchmail.log import log

STATES = RUN / "state"
# Seconds. A connection that died silently is noticed after this time.
LONGEST_IDLE = 600
LONGEST_PAUSE = 3600

# What fetchmail says, what a person needs to know, and whether only a person can mend it.
REASONS = (
    (r"Authorization failure", "wrong user or password", True),
    (r"certificate verification error: (.*)", r"certificate: \1", True),
    (r"mailbox selection failed", "the folder does not exist or cannot be opened", True),
    (r"connection to (\S+) .*failed: (.*?)\.?$", r"connection to \1 failed: \2", False),
)
# After a 4xx it tries to send a bounce, for which there is no server here, on purpose.
NOISE = re.compile(r"localhost:smtp|Connection errors for this poll|^name \d|LMTP error")


def fetch(account: Account, gateway: Gateway, interval: int) -> None:
    """Hold one session after the other; never returns.

    Between two there are ``interval`` seconds, or more and more, up to an hour, where a person has
    to mend something: a wrong password, tried often, locks the account. There are none after a
    session that waited for mail and was ended only as it had been silent for long.
    """
    pause = interval
    while True:
        _wait_for_core(account)
        gateway.deferral = ""
        session = Fetchmail(account)
        trouble, hopeless = session.run()
        _set_state(account, trouble or gateway.deferral)
        pause = min(2 * pause, LONGEST_PAUSE) if hopeless else interval
        if trouble:
            log(account, f"{trouble}; tried again in {pause} s")
        if session.ended_at != "IDLE" or gateway.deferral:
            time.sleep(pause)


def _wait_for_core(account: Account) -> None:
    """Fetch nothing that core cannot take."""
    told = False
    while True:
        try:
            socket.create_connection(CORE, timeout=5).close()
        except OSError as error:
            if not told:
                _set_state(account, f"core: {error}")
                log(account, f"waiting for core: {error}")
                told = True
            time.sleep(1)
        else:
            return


def _set_state(account: Account, trouble: str) -> None:
    """For the healthcheck."""
    new = RUN / f"{account.label}.state"
    new.write_text(f"{account.mailbox.name}: {trouble or 'ok'}\n", encoding="utf-8")
    new.rename(STATES / account.label)


class Fetchmail:
    """One run of fetchmail. It ends when it has fetched all, unless it waits for more (IDLE)."""

    def __init__(self, account: Account) -> None:
        self.account = account
        pid_file = RUN / f"{account.label}.pid"
        pid_file.unlink(missing_ok=True)  # left by one that was killed
        self.command = [
            *("fetchmail", "--fetchmailrc", f"{RUN}/fetchmailrc", "--pidfile", f"{pid_file}"),
            *("--idfile", f"{RUN}/{account.label}.ids", "--verbose"),
            *(["--idle"] if account.idles else []),
            account.label,
        ]
        self.errors: list[str] = []
        self.ended_at = ""
        """The command of IMAP after which it was ended here, if it was."""

    def run(self) -> tuple[str, bool]:
        """Return what went wrong, if anything, and whether a person has to mend it."""
        with subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="latin-1",  # whatever bytes a server says
        ) as process:
            collector = threading.Thread(target=self._collect, args=[process.stderr])
            collector.start()
            self._watch(process)
            collector.join()
        if self.ended_at or process.returncode in (0, 1):
            return "", False
        return _explain(process.returncode, self.errors)

    def _collect(self, lines: Iterable[str]) -> None:
        for line in lines:
            if not NOISE.search(line):
                self.errors.append(line.strip())
                log(self.account, line.strip())

    def _watch(self, process: subprocess.Popen[str]) -> None:
        """End it where it would wait too long: what it says to the server tells when it waits."""
        timer = threading.Timer(LONGEST_IDLE, self._end, [process, "IDLE"])
        for line in process.stdout or ():
            if line.startswith("skipping message"):  # larger than the limit
                log(self.account, line.strip())
            command = re.search(r"IMAP> (?:\S+ )?(\w+)", line)
            if not command:
                continue
            timer.cancel()
            if command[1] in ("IDLE", "NOOP"):
                _set_state(self.account, "")
            if command[1] == "IDLE":
                timer = threading.Timer(LONGEST_IDLE, self._end, [process, "IDLE"])
                timer.daemon = True
                timer.start()
            elif command[1] == "NOOP":  # no IDLE there: it would ask every 28 seconds
                self._end(process, "NOOP")
        timer.cancel()

    def _end(self, process: subprocess.Popen[str], command: str) -> None:
        self.ended_at = command
        process.terminate()


def _explain(code: int, errors: list[str]) -> tuple[str, bool]:
    text = "\n".join(errors)
    for pattern, reason, hopeless in REASONS:
        if found := re.search(pattern, text, re.MULTILINE):
            return found.expand(reason), hopeless
    last = errors[-1] if errors else "it said nothing"
    return f"fetchmail ended with {code}: {last}", False
