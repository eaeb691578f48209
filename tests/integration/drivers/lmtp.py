"""Core and the MTA as a test wants them: LMTP on port 8024, SMTP on 10025.

The file /tmp/answers/<recipient> has the reply for a recipient, or the word `hold` for none until
something else is there. What was taken is in /tmp/mail, one line of JSON for each recipient; so is
what is on hold.
"""

import json
import socketserver
import threading
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

ANSWERS = Path("/tmp/answers")  # noqa: S108 - of this container
MAIL = Path("/tmp/mail")  # noqa: S108
WRITING = threading.Lock()


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100

    @property
    def by_lmtp(self) -> bool:
        return bool(self.socket.getsockname()[1] == 8024)


class Conversation(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.say("220 core")
        sender = ""
        recipients: list[str] = []
        while line := self.rfile.readline():
            argument = line.decode("latin-1").partition("<")[2].partition(">")[0]
            match line[:4].upper():
                case b"MAIL":
                    sender, recipients = argument, []
                    self.say("250 ok")
                case b"RCPT":
                    recipients.append(argument)
                    self.say("250 ok")
                case b"DATA":
                    self.say("354 go on")
                    self.take(sender, recipients)
                case b"QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 ok")

    def take(self, sender: str, recipients: list[str]) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return
            lines.append(line.removeprefix(b"."))
        content = b64encode(b"".join(lines)).decode()
        for recipient in recipients if self.server.by_lmtp else recipients[:1]:
            self.answer(sender, recipient, content)

    def answer(self, sender: str, recipient: str, content: str) -> None:
        reply = asked_for(recipient)
        if reply in ("250 taken", "hold"):
            fields = {"sender": sender, "recipient": recipient, "content": content}
            with WRITING, MAIL.open("a") as mail:
                print(json.dumps(fields), file=mail)
        while reply == "hold":
            time.sleep(0.02)
            reply = asked_for(recipient)
        self.say(reply)

    def say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode())


def asked_for(recipient: str) -> str:
    with suppress(FileNotFoundError):
        return (ANSWERS / recipient).read_text()
    return "250 taken"


ANSWERS.mkdir()
MAIL.touch()
threading.Thread(target=Server(("", 10025), Conversation).serve_forever, daemon=True).start()
with Server(("", 8024), Conversation) as lmtp:
    print("ready", flush=True)
    lmtp.serve_forever()
