"""Texts of lists that are not Mailman's own."""

from mailmanclient import MailingList

from tests.support.stack import Stack

FOOTER = "list:member:regular:footer"
GOODBYE = "list:user:notice:goodbye"
WELCOME = "list:user:notice:welcome"


def set_text(stack: Stack, mailing_list: MailingList, template: str, text: str) -> None:
    """Let a list have a text of its own, from a file in core's container."""
    path = f"/tmp/{mailing_list.list_id}-{template}"  # noqa: S108 - the container's own
    stack.exec("core", "sh", "-c", 'printf %s "$1" >"$0"', path, text)
    mailing_list.set_template(template, f"file://{path}")
