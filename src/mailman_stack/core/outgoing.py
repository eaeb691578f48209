"""How core sends: ``[mta] outgoing:`` of mailman.cfg."""

from mailman.email.message import Message
from mailman.interfaces.mailinglist import IMailingList
from mailman.interfaces.mta import SomeRecipientsFailed
from mailman.mta import deliver as upstream

LOGIN_REFUSED = {530, 534, 535, 538}  # RFC 4954, section 6


def deliver(mlist: IMailingList, message: Message, data: dict[str, object]) -> None:
    """Upstream's; but when a login is refused the recipients are not at fault, and are tried again.

    :raises SomeRecipientsFailed: as upstream's does, with who is tried again and who never.
    """
    try:
        upstream.deliver(mlist, message, data)
    except SomeRecipientsFailed as error:
        failures = error.permanent_failures
        kept = [address for address, code, _text in failures if code in LOGIN_REFUSED]
        lost = [failure for failure in failures if failure[1] not in LOGIN_REFUSED]
        raise SomeRecipientsFailed(error.temporary_failures + kept, lost) from error
