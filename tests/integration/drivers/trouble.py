"""Inside core's image: what core's LMTP server answers when the conversation itself raises."""

import smtplib

from mailman_stack.core.lmtp import Controller, Handler
from mailman_stack.core.once import Inbox


class Broken(Handler):
    """Stands for a parser that a client's words make fail."""

    def __init__(self) -> None:
        super().__init__(Inbox.__new__(Inbox))

    async def handle_MAIL(self, *_arguments: object) -> str:  # noqa: N802 - aiosmtpd's
        raise IndexError("words of ours")


if __name__ == "__main__":
    server = Controller(Broken(), hostname="127.0.0.1", port=8024)
    server.start()
    with smtplib.LMTP("127.0.0.1", 8024) as client:
        client.ehlo()
        print(*client.docmd("MAIL", "FROM:<anne@example.org>"))
    server.stop()
