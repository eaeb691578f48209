"""Messages, as people outside write and read them."""

from email.message import EmailMessage, MIMEPart
from email.utils import formatdate, make_msgid

RESULTS = "The results of your email commands"
"""The subject of what Mailman answers to commands."""


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


def text_of(part: MIMEPart) -> str:
    """A text, whose lines end as Python's do, not as in SMTP."""
    text: str = part.get_content()
    return text.replace("\r\n", "\n")
