"""Inside Exim's image: what Exim makes of some settings, as the relayhost sees it.

Each line of standard input is {"settings": {NAME: value}, "secrets": {file: text}} as JSON, each
line of output {"problems": [...]} or {"read": {...}, "others": everything else that Exim reads}.
"""

import json
import os
import ssl
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from queue import SimpleQueue
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

from mailman_stack import mta, tls
from mailman_stack.failing import SettingsError
from mailman_stack.render import render
from mailman_stack.settings import load

SECRETS = Path("/tmp/secrets")  # noqa: S108 - a tmpfs of this container
ENVIRONMENT = dict(os.environ)
# Its own certificate serves for the relayhost too, which has the same name.
CERTIFICATE = tls.certificate(load("mta").hostname)
FACTS: dict[str, Any] = {
    "networks": [],
    "certificate": CERTIFICATE,
    "authorities": CERTIFICATE.chain,
    # There is no DNS; /etc/hosts, which comes after it, names the relayhost.
    "sections": lambda _text: {"main": "dns_again_means_nonexist = *"},
}


class Relayhost(ThreadingTCPServer):
    """Takes any mail from whoever logs in, as anybody."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 465), Conversation)
        self.logins: SimpleQueue[list[str]] = SimpleQueue()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE.chain, CERTIFICATE.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)


class Conversation(StreamRequestHandler):
    """SMTP as far as a delivery needs it."""

    server: Relayhost

    def handle(self) -> None:
        """Talk until the client takes leave."""
        login: list[bytes] = []
        self.say("220 relay.example")
        while line := self.rfile.readline():
            match line.split():
                case [b"EHLO", *_]:
                    self.say("250-relay.example", "250 AUTH PLAIN LOGIN")
                case [b"AUTH", b"PLAIN", word]:
                    login = b64decode(word).removeprefix(b"\0").split(b"\0")
                    self.say("235 welcome")
                case [b"AUTH", b"LOGIN"]:
                    login = [self.ask("334 VXNlcm5hbWU6"), self.ask("334 UGFzc3dvcmQ6")]
                    self.say("235 welcome")
                case [b"MAIL", *_]:
                    self.server.logins.put([word.decode() for word in login])
                    self.say("250 ok")
                case [b"DATA"]:
                    self.say("354 go on")
                    while self.rfile.readline() != b".\r\n":
                        pass
                    self.say("250 taken")
                case _:
                    self.say("250 ok")

    def ask(self, prompt: str) -> bytes:
        self.say(prompt)
        return b64decode(self.rfile.readline())

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


def answer(given: dict[str, dict[str, str]], relayhost: Relayhost) -> dict[str, Any]:
    os.environ.clear()
    os.environ.update(ENVIRONMENT | given["settings"])
    for name, text in given["secrets"].items():
        (SECRETS / name).write_bytes(text.encode(errors="surrogatepass"))
    try:
        settings = load("mta", SECRETS)
    except SettingsError as error:
        return {"problems": error.problems}
    list(render("exim", settings, **FACTS))
    exim("-odi", "anne@example.org", stdin="Subject: login\n\n")
    owner, *route = exim("-bt", "postmaster@lists.example.com").splitlines()
    read = {"login": relayhost.logins.get(timeout=30), "owner": owner}
    return {"read": read, "others": [route, exim("-bP"), exim("-bP", "routers")]}


def exim(*arguments: str, stdin: str = "") -> str:
    command = ["exim4", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert not done.stderr, done.stderr
    return done.stdout


def main() -> None:
    """Answer until standard input ends."""
    SECRETS.mkdir()
    (mta.MAPS / "lists").mkdir()
    (mta.MAPS / "exim_domains").write_text("lists.example.com: lists.example.com\n")
    with Relayhost() as relayhost:
        Thread(target=relayhost.serve_forever, daemon=True).start()
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line), relayhost)), flush=True)
        relayhost.shutdown()


if __name__ == "__main__":
    main()
