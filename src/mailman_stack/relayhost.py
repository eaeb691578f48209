"""The way to a relayhost that has to prove its name, or wants a login, for an MTA that cannot.

Sendmail does not begin with TLS (smtps), and goes on without a login that was refused, so that all
its mail comes back. Here it finds, on a Unix socket, a relayhost that trusts it already.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

from mailman_stack import tls
from mailman_stack.settings import Settings

PATIENCE = 60
"""Seconds until the relayhost must have let us in."""

PART = 2**16
"""What is passed on at once, in bytes."""


class Refusal(Exception):  # noqa: N818 - it is the relayhost's
    """The relayhost says no, in its own words."""


class Relayhost:
    """The relayhost of some settings, by ``smtps`` or ``starttls``."""

    def __init__(self, settings: Settings, authorities: Path) -> None:
        self.settings = settings
        self.tls = tls.context(authorities)

    async def listen(self, socket: Path) -> None:
        """Serve for ever."""
        await (await asyncio.start_unix_server(self._serve, socket)).serve_forever()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Let one client speak to the relayhost, or tell it why it cannot: then it tries again."""
        with suppress(OSError):
            try:
                async with asyncio.timeout(PATIENCE):
                    out_reader, out_writer = await self._connect()
            except (OSError, EOFError, Refusal) as error:
                reason = f"{self.settings.smtp_host}: {str(error) or type(error).__name__}"
                writer.write(f"421 4.7.0 {reason}\r\n".encode())
            else:
                writer.write(b"220 relayhost ESMTP\r\n")
                both = copy(reader, out_writer), copy(out_reader, writer)
                await asyncio.wait(map(asyncio.ensure_future, both), return_when="FIRST_COMPLETED")
                out_writer.close()
            await writer.drain()
        writer.close()

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        """A connection to the relayhost, its name verified and logged in.

        :raises Refusal: when it does not let us in.
        :raises OSError: when it cannot be reached, or is another (`ssl.SSLError`).
        """
        begin = self.tls if self.settings.smtp_secure_mode == "smtps" else None
        place = self.settings.smtp_host, self.settings.smtp_port
        reader, writer = await asyncio.open_connection(*place, ssl=begin)
        try:
            await expect(reader, "220")
            hello = f"EHLO {self.settings.hostname}"
            features = await ask(reader, writer, hello, "250")
            if not begin:
                await self._start_tls(reader, writer, features)
                features = await ask(reader, writer, hello, "250")
            if self.settings.smtp_host_user:
                await self._login(reader, writer, features)
        except BaseException:
            writer.close()
            raise
        return reader, writer

    async def _start_tls(self, reader: StreamReader, writer: StreamWriter, features: str) -> None:
        """Begin TLS (RFC 3207), unless more came in clear: it would pass for the relayhost's words.

        That was CVE-2011-0411 of many programs.
        """
        if "STARTTLS" not in features.upper().split():
            raise Refusal("no STARTTLS")
        await ask(reader, writer, "STARTTLS", "220")
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                await reader.read(1)
                raise Refusal("more than a reply to STARTTLS")
        await writer.start_tls(self.tls, server_hostname=self.settings.smtp_host)

    async def _login(self, reader: StreamReader, writer: StreamWriter, features: str) -> None:
        """PLAIN (RFC 4616), or LOGIN, which is all that some know (draft-murchison-sasl-login)."""
        user = self.settings.smtp_host_user
        password = self.settings.smtp_host_password.get_secret_value()
        lines = [line.split() for line in features.upper().splitlines()]
        mechanisms = [words[1:] for words in lines if words[:1] == ["AUTH"]]
        if any("PLAIN" in words for words in mechanisms) or not mechanisms:
            await ask(reader, writer, f"AUTH PLAIN {encoded(f'\0{user}\0{password}')}", "235")
        else:
            await ask(reader, writer, "AUTH LOGIN", "334")
            await ask(reader, writer, encoded(user), "334")
            await ask(reader, writer, encoded(password), "235")


async def ask(reader: StreamReader, writer: StreamWriter, command: str, code: str) -> str:
    """Give a command and return what its reply says.

    :raises Refusal: when the reply has another code.
    """
    writer.write(f"{command}\r\n".encode())
    return await expect(reader, code)


async def expect(reader: StreamReader, code: str) -> str:
    """The text of a reply of one or more lines (RFC 5321, section 4.2.1).

    :raises Refusal: when the reply has another code.
    """
    lines: list[str] = []
    while not lines or lines[-1][3:4] == "-":
        lines.append((await reader.readuntil(b"\n")).decode(errors="replace").strip())
    if not lines[-1].startswith(code):
        raise Refusal(lines[-1])
    return "\n".join(line[4:] for line in lines)


async def copy(reader: StreamReader, writer: StreamWriter) -> None:
    """Pass on all that comes."""
    with suppress(OSError):
        while part := await reader.read(PART):
            writer.write(part)
            await writer.drain()


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
