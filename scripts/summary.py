"""What a person needs to know after a start, read from the project that was started."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from scripts import docker_cli
from scripts.docker_cli import Project
from scripts.env_and_secrets import ENV_EXAMPLE
from scripts.process import ROOT

TRIAL = """
Mailman is up, in trial mode: no mail leaves this machine.

  web            http://{web}/
  log in         {admin}, password in {password_file}
  SMTP           {smtp}
  mail catcher   http://{catcher}/   every message that would have left

Try next: a list with one member, and a post to it.
  docker compose exec core mailman create {post}
  echo reader@example.com | docker compose exec -T core mailman addmembers - {post}
  python3 -c 'import smtplib; smtplib.SMTP("{smtp_host}", {smtp_port}).sendmail(
    "reader@example.com", "{post}",
    "From: reader@example.com\\nTo: {post}\\nSubject: Hello\\n\\nA first post.")'
The mail catcher then shows what the member got, the web interface the list's archive.
`make logs` shows what each part does, `make help` what else there is.
"""

PRODUCTION = """
Mailman is up, in production mode: mail leaves by {way_out}.

  web            http://{web}/   for the TLS proxy in front of it, as https://{web_host}/
  log in         {admin}, password in {password_file}
  SMTP           {smtp}   for the MX records of {domains}

Try next: log in, make a list, and send it a message from outside.
`make logs` shows what each part does, `make help` what else there is.
"""

NO_MTA = """
Mailman is up, without an MTA: mail leaves by {way_out} and comes in by {way_in}.

  web            http://{web}/   in production for a TLS proxy, as https://{web_host}/
  log in         {admin}, password in {password_file}

`make logs` shows what each part does, `make help` what else there is.
"""


def text(project: Project) -> str:
    """The summary for a project that runs."""
    domains = [entry.partition("=")[0] for entry in setting(project, "MAIL_DOMAINS").split(",")]
    facts = {
        "admin": setting(project, "MAILMAN_ADMIN_USER"),
        "domains": ", ".join(domains),
        "password_file": _shown(project["secrets"]["mailman_admin_password"]["file"]),
        "post": f"test@{domains[0]}",
        "way_out": setting(project, "SMTP_HOST") or "each domain's MX",
        "web": _joined(project, "web"),
        "web_host": setting(project, "SERVE_FROM_DOMAIN") or domains[0],
    }
    if docker_cli.is_off(project["services"]["mta"]):
        if "catcher" in project["services"]:
            facts["way_out"] = f"the mail catcher, http://{_joined(project, 'catcher')}/,"
        return NO_MTA.format(way_in=way_in(project), **facts)
    facts["smtp_host"], facts["smtp_port"] = address(project, "mta")
    facts["smtp"] = _joined(project, "mta")
    if "catcher" not in project["services"]:
        return PRODUCTION.format(**facts)
    facts["web"] = setting(project, "SERVE_FROM_DOMAIN") or facts["web"]
    return TRIAL.format(catcher=_joined(project, "catcher"), **facts)


def way_in(project: Project) -> str:
    """How mail comes in where the stack has no MTA."""
    program = setting(project, "HOST_MTA")
    ways = [f"the host's {program}: `make mta-config`"] if program != "none" else []
    ways += ["fetchmail"] if setting(project, "FETCHMAIL_MAILBOXES") else []
    return " and ".join(ways) or "no way yet: set HOST_MTA or FETCHMAIL_MAILBOXES"


def address(project: Project, service: str) -> tuple[str, str]:
    """Host and port under which this machine reaches a service's published port."""
    port: dict[str, Any] = project["services"][service]["ports"][0]
    host = port.get("host_ip", "")
    if not host or ip_address(host).is_unspecified:
        host = "localhost"
    return host, port["published"]


def setting(project: Project, name: str, example: Path = ENV_EXAMPLE) -> str:
    """A setting as the containers get it, or its default as `.env.example` names it."""
    given: str = project["services"]["web"].get("environment", {}).get(name, "")
    default = re.search(rf"^#? *{name}=(.*)$", example.read_text(), re.MULTILINE)
    return given or (default[1] if default else "")


def _joined(project: Project, service: str) -> str:
    return ":".join(address(project, service))


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
