"""A stack without an MTA, beside a container that plays the host, with each mail server in turn."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import RUN, evidence
from tests.support.container import docker
from tests.support.stack import Stack

FILES = ("compose.yaml", "compose.host-mta.yaml", "tests/host/compose.yaml")
SERVICES = ("database", "core", "host", "catcher", "dns")

ENV = """\
MTA=none
HOST_MTA={program}
COMPOSE_FILE=compose.yaml:compose.host-mta.yaml
LMTP_PUBLISH=198.18.27.10:8024
MAPS_DIRECTORY={maps}
SMTP_HOST=198.18.27.25
MAIL_DOMAINS=lists.example.com, lists.example.net
MAILMAN_ADMIN_EMAIL=admin@example.org
SITE_OWNER=owner@example.org
"""

# What the host's own administrator has decided: its name, and that all its mail leaves by one way.
OWN = {
    "postfix": """
        postconf -e myhostname=host.example relayhost=[198.18.27.80]:1025 maillog_file=/var/log/mail
    """,
    "exim": """
        cat >>/etc/exim4/update-exim4.conf.conf <<'EOF'
dc_eximconfig_configtype='smarthost'
dc_smarthost='198.18.27.80::1025'
dc_local_interfaces=''
dc_other_hostnames='host.example'
EOF
    """,
    "sendmail": r"""
        cd /etc/mail
        cat >/tmp/own <<'EOF'
define(`SMART_HOST', `[198.18.27.80]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h 1025')dnl
EOF
        # Debian's is closed to all but the host itself, and slow for whoever comes often.
        sed -i 's/, Addr=127.0.0.1//; /`conncontrol\|`ratecontrol\|`greet_pause/d' sendmail.mc
        sed -i -e '/^MAILER_DEFINITIONS/{r /tmp/own' -e 'N}' sendmail.mc
    """,
}

START = {
    "postfix": "postfix check && postfix start",
    "exim": "update-exim4.conf && exim4 -bd -q10s",
    "sendmail": "cd /etc/mail && m4 sendmail.mc >sendmail.cf && sendmail -bd -q10s",
}


@pytest.fixture(scope="module", params=["postfix", "exim", "sendmail"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The stack, with one of the mail servers on the host configured as `make mta-config` says."""
    program = request.param
    stack = Stack(f"mailman-stack-test-host-{program}", directory(program), FILES)
    stack.create_secrets()
    try:
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "120", *SERVICES)
        configure(stack, program)
        yield stack
    except BaseException:
        evidence.collect(stack, f"host-{program}")
        raise
    finally:
        stack.compose("down", "--volumes", "--timeout", "5", check=False)


def directory(program: str) -> Path:
    """Settings, secrets and the directory that core and the host share."""
    root = RUN / f"host-{program}"
    root.mkdir(parents=True, exist_ok=True)
    as_root(root, "rm -rf maps secrets && install -d -o 990 -g 990 maps")
    (root / "env").write_text(ENV.format(program=program, maps=root / "maps"))
    return root


def as_root(folder: Path, script: str) -> None:
    """Do in a folder what the host's administrator may, and who runs the tests may not."""
    mount = (f"--volume={folder}:{folder}", f"--workdir={folder}", "--user=0", "--network=none")
    docker("run", "--rm", *mount, "mailman-stack/tests", "sh", "-ec", script)


def configure(stack: Stack, program: str) -> None:
    """Do as the printed lines say, beside what the host's administrator has done, and start it."""
    on_host(stack, OWN[program])
    show = ("run", "--rm", "--no-deps", "--no-TTY", "web", "python", "-m", "mailman_stack.show")
    for path, lines in parts(stack.compose(*show, "host").stdout):
        on_host(stack, f"cat >>{path}", stdin=lines)
    on_host(stack, START[program])


def parts(printed: str) -> list[tuple[str, str]]:
    """Each file that the printed lines name, and the lines for it."""
    _before, *rest = re.split(r"^# (/\S+)$", printed, flags=re.MULTILINE)
    return list(zip(rest[::2], rest[1::2], strict=True))


def on_host(stack: Stack, script: str, stdin: str = "") -> str:
    """Run a script on the host."""
    command = ["docker", "exec", "--interactive", stack.container("host"), "bash", "-ec", script]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (script, done.stdout, done.stderr)
    return done.stdout
