"""Inside core's image: what Mailman's filter of content makes of the HTML on standard input."""

import sys
from email import message_from_bytes
from email.message import EmailMessage

from mailman.core.initialize import initialize_1
from mailman.email.message import Message
from mailman.handlers.mime_delete import to_plaintext

from mailman_stack.render import render
from mailman_stack.settings import load

list(render("core", load("core")))
initialize_1("/etc/mailman3/mailman.cfg")
posted = EmailMessage()
posted.set_content(sys.stdin.read(), subtype="html")
message = message_from_bytes(posted.as_bytes(), Message)
assert to_plaintext(message) == 1
assert message.get_content_type() == "text/plain"
print(message.get_payload(decode=True).decode(message.get_content_charset()))
