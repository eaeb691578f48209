"""The archive: what comes into it, and its pages as a stranger's program gets them."""

from base64 import b32encode
from dataclasses import dataclass
from email.message import EmailMessage
from hashlib import sha1
from http.client import HTTPConnection, HTTPMessage

from mailmanclient import MailingList

from tests.support import wait
from tests.support.mail import message
from tests.support.stack import Stack

HOST = "www.example.com"


@dataclass(frozen=True)
class Answer:
    """What the web interface answers to one request."""

    status: int
    headers: HTTPMessage
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


def fetch(stack: Stack, path: str, host: str = HOST) -> Answer:
    """Get a page as somebody whom nobody knows."""
    connection = HTTPConnection(stack.address("web"), 8000, timeout=60)
    connection.request("GET", path, headers={"Host": host})
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    return answer


def archive_of(mailing_list: MailingList) -> str:
    """The path of a list's archive."""
    return f"/archives/list/{mailing_list.fqdn_listname}/"


def name_of(mail: EmailMessage) -> str:
    """What the archive calls a message, and the thread that it begins: RFC 5064's hash."""
    message_id = mail["Message-ID"].strip("<>").encode()
    return b32encode(sha1(message_id, usedforsecurity=False).digest()).decode()


def thread_of(mailing_list: MailingList, mail: EmailMessage) -> str:
    """The path of the thread that a message begins."""
    return f"{archive_of(mailing_list)}thread/{name_of(mail)}/"


def permalink_of(mailing_list: MailingList, mail: EmailMessage) -> str:
    """The path of a message's own page."""
    return f"{archive_of(mailing_list)}message/{name_of(mail)}/"


def write(
    mailing_list: MailingList,
    sender: str,
    subject: str,
    text: str = "Hello, all.\n",
    answers: EmailMessage | None = None,
) -> EmailMessage:
    """A message to a list, in answer to another if one is given."""
    mail = message(sender, mailing_list.fqdn_listname, subject, text)
    if answers:
        mail["In-Reply-To"] = answers["Message-ID"]
    return mail


def post(stack: Stack, mailing_list: MailingList, *mails: EmailMessage) -> None:
    """Send messages to a list by mail, one after the other, and wait until they are archived."""
    for mail in mails:
        stack.post(mail)
        wait_archived(stack, mailing_list, mail)


def wait_archived(stack: Stack, mailing_list: MailingList, mail: EmailMessage) -> Answer:
    """The first answer of a message's page that is not "not found"."""

    def known() -> Answer | None:
        answer = fetch(stack, permalink_of(mailing_list, mail))
        return None if answer.status == 404 else answer

    answer = wait.until(f"{mail['Subject']!r} is archived", known)
    assert answer is not None
    return answer
