"""Mail to the site owner about what is in quarantine: each message is told of once."""

import smtplib
import ssl
import time
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate

from mailman_stack.fetchmail.quarantine import Quarantine
from mailman_stack.settings import Settings

# Seconds. A wave of spam to addresses that do not exist makes one report, not hundreds.
PAUSE = 600
RETRY = 60
TIMEOUT = 60
SHOWN = 100

TEXT = """\
Mailman has refused the mail below, which was fetched for it. It is kept and will not be fetched
again. To have a message delivered after all, mend the reason and move the message from the folder
back to the one that is fetched; delete the others.
"""


def report(settings: Settings, quarantine: Quarantine, tls: ssl.SSLContext) -> None:
    """Send reports whenever there is something to tell; never returns."""
    while True:
        quarantine.news.clear()
        entries = quarantine.journal.unreported()
        if not entries:
            quarantine.news.wait()
        elif _send(settings, tls, entries):
            quarantine.journal.report(list(entries))
            time.sleep(PAUSE)
        else:
            time.sleep(RETRY)


def message(settings: Settings, entries: dict[str, str]) -> EmailMessage:
    """One report; told again after a crash it has the same Message-ID."""
    first = next(iter(entries))
    shown = list(entries.values())[:SHOWN]
    more = [f"… and {len(entries) - SHOWN} more.\n"] if len(entries) > SHOWN else []
    mail = EmailMessage()
    mail["From"] = Address("Mailman", addr_spec=settings.sender)
    mail["To"] = settings.owner
    mail["Subject"] = f"Mail in quarantine: {len(entries)}"
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<quarantine-{first}-{len(entries)}@{settings.domains[0].name}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join([TEXT, *shown, *more]))
    return mail


def _send(settings: Settings, tls: ssl.SSLContext, entries: dict[str, str]) -> bool:
    submission = settings.submission
    where = (submission.host, submission.port)
    try:
        with (
            smtplib.SMTP_SSL(*where, context=tls, timeout=TIMEOUT)
            if submission.secure_mode == "smtps"
            else smtplib.SMTP(*where, timeout=TIMEOUT)
        ) as smtp:
            if submission.secure_mode == "starttls":
                smtp.starttls(context=tls)
            if submission.user:
                smtp.login(submission.user, submission.password)
            smtp.send_message(message(settings, entries))
    except OSError as error:  # also every error of smtplib
        print(f"report to {settings.owner}: {error}; tried again in {RETRY} s", flush=True)
        return False
    print(f"report to {settings.owner}: {len(entries)} in quarantine", flush=True)
    return True
