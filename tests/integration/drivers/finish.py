"""Inside core's image: what clients see of a LMTP server that ends; printed line by line."""

import smtplib
import socket
from concurrent.futures import ThreadPoolExecutor

from aiosmtpd.smtp import SMTP, Envelope, Session

from mailman_stack.core.lmtp import Controller

ADDRESS = ("127.0.0.1", 8024)


class Taker:
    """Takes everything: Mailman's lists need a database."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, to: str, _options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(to)
        return "250 ok"

    async def handle_DATA(self, *_arguments: object) -> str:  # noqa: N802 - aiosmtpd's
        return "250 taken"


def closed(client: smtplib.LMTP) -> bool:
    """Whether the server has ended the conversation."""
    return client.sock is not None and client.sock.recv(1) == b""


if __name__ == "__main__":
    server = Controller(Taker(), hostname=ADDRESS[0], port=ADDRESS[1])
    server.start()
    with smtplib.LMTP(*ADDRESS) as idle, smtplib.LMTP(*ADDRESS) as busy:
        idle.ehlo()
        busy.ehlo()
        busy.mail("anne@example.org")
        busy.rcpt("ant@example.com")
        with ThreadPoolExecutor() as pool:
            end = pool.submit(server.finish)
            print("idle:", closed(idle))
            try:
                socket.create_connection(ADDRESS)
            except ConnectionRefusedError:
                print("new: refused")
            print("busy:", *busy.data("Subject: last\r\n\r\nwords\r\n"))
            print("busy:", closed(busy))
            end.result()
        idle.close()
        busy.close()
    server.stop()
