"""Messages, as people outside write them."""

from email.message import EmailMessage
from email.utils import formatdate, make_msgid


def message(sender: str, to: str, subject: str, text: str = "Hello, all.\n") -> EmailMessage:
    """A plain message with a Message-ID of its own, by which a test follows it."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="outside.example.net")
    message.set_content(text)
    return message
