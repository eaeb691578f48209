"""The other end of SMTP or LMTP, in a container of its own: it does what a recipient's name says.

    python remote.py PORT [--lmtp] [--greets-after SECONDS]

The leading letters of a recipient's local part may name one of SCRIPTS; any other recipient is
taken. What is temporary happens once for each recipient, what is final every time. The end of each
transaction is a line of JSON on standard output: see `Conversation.record`.
"""

import argparse
import asyncio
import json
import re
from typing import NamedTuple

MESSAGE = 2**20
"""The most that is read of one, in bytes."""


class Step(NamedTuple):
    """At which command something happens, and what: a reply, or the connection is cut."""

    command: str
    """RCPT, DATA (after the message's first line) or END (the final dot)."""

    reply: str = ""
    """Empty: the connection is cut without one."""

    @property
    def final(self) -> bool:
        return self.reply.startswith("5")


SCRIPTS = {
    "greylisted": Step("RCPT", "451 4.7.1 greylisted, come again"),
    "unknown": Step("RCPT", "550 5.1.1 nobody of that name"),
    "interrupted": Step("DATA"),
    "deferred": Step("END", "451 4.3.0 not now"),
    "refused": Step("END", "554 5.7.1 not wanted"),
    "unanswered": Step("END"),
}


class Closed(Exception):  # noqa: N818 - no error
    """The conversation is over."""


class Conversation:
    """One connection (RFC 5321; with ``lmtp`` RFC 2033)."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        past: set[str],
        lmtp: bool,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.past = past
        """Recipients whose temporary trouble is over."""
        self.lmtp = lmtp
        self.sender = ""
        self.recipients: list[str] = []

    async def run(self, greets_after: float) -> None:
        """Talk until the client takes leave, or a script cuts the connection."""
        await asyncio.sleep(greets_after)
        self.say("220 remote.example")
        try:
            while line := await self.reader.readline():
                await self.obey(line.decode(errors="replace").strip())
        except (Closed, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writer.close()

    async def obey(self, line: str) -> None:
        """Carry out one command."""
        match line.upper()[:4]:
            case "EHLO" | "HELO" | "LHLO":
                self.say("250-remote.example", "250-8BITMIME", "250 ENHANCEDSTATUSCODES")
            case "MAIL":
                self.sender, self.recipients = address(line), []
                self.say("250 2.1.0 ok")
            case "RCPT":
                self.rcpt(address(line))
            case "DATA" if self.recipients:
                self.say("354 go on")
                await self.data()
            case "RSET" | "NOOP":
                self.say("250 2.0.0 ok")
            case "QUIT":
                self.say("221 2.0.0 bye")
                raise Closed
            case _:
                self.say("503 5.5.1 what?")

    def rcpt(self, recipient: str) -> None:
        """Take a recipient, or not."""
        if step := self.step("RCPT", recipient):
            self.record(step.reply, [recipient])
            self.say(step.reply)
        else:
            self.recipients.append(recipient)
            self.say("250 2.1.5 ok")

    async def data(self) -> None:
        """Take the message, or not."""
        message = await self.reader.readline()
        if any(self.step("DATA", recipient) for recipient in self.recipients):
            self.cut()
        message += await self.reader.readuntil(b"\r\n.\r\n")
        text = message[:-3].replace(b"\r\n..", b"\r\n.").decode(errors="replace")
        steps = [self.step("END", recipient) for recipient in self.recipients]
        if Step("END") in steps:
            self.cut()
        replies = [step.reply if step else "250 2.0.0 taken" for step in steps]
        if not self.lmtp:
            # One for all, and the worst wins.
            self.record(max(replies), self.recipients, text)
            self.say(max(replies))
            return
        for reply, recipient in zip(replies, self.recipients, strict=True):
            self.record(reply, [recipient], text)
        self.say(*replies)

    def step(self, command: str, recipient: str) -> Step | None:
        """What a recipient's script has for a command, this time."""
        name = re.match("[a-z]*", recipient)
        step = SCRIPTS.get(name[0] if name else "")
        if step is None or step.command != command or recipient in self.past:
            return None
        if not step.final:
            self.past.add(recipient)
        return step

    def cut(self) -> None:
        """Be gone without a word."""
        self.record("", self.recipients)
        self.writer.transport.abort()
        raise Closed

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    def record(self, reply: str, recipients: list[str], message: str = "") -> None:
        """Tell the tests how a transaction ended, and with which others it shares the message."""
        facts = {"sender": self.sender, "recipients": recipients, "together": len(self.recipients)}
        print(json.dumps({**facts, "reply": reply, "message": message}), flush=True)


def address(line: str) -> str:
    """The address in a command's angle brackets."""
    found = re.search("<(.*?)>", line)
    return found[1].lower() if found else ""


async def main() -> None:
    """Serve until the container is removed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--lmtp", action="store_true")
    parser.add_argument("--greets-after", type=float, default=0)
    arguments = parser.parse_args()
    past: set[str] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(reader, writer, past, arguments.lmtp)
        await conversation.run(arguments.greets_after)

    server = await asyncio.start_server(serve, port=arguments.port, limit=MESSAGE)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
