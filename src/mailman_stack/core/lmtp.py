"""The LMTP runner: ``[runner.lmtp] class:`` of mailman.cfg."""

import logging
import smtplib
from contextlib import suppress

from mailman.config import config
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.runner import RunnerInterrupt
from mailman.runners import lmtp
from zope.component import getUtility

log = logging.getLogger("mailman.runner")


def ask_for_waiting_mail() -> None:
    """Have the MTA send at once what it keeps for the lists (ETRN, RFC 1985).

    A MTA that is not there yet is no trouble: it begins with what is in its queue.
    """
    domains = [domain.mail_host for domain in getUtility(IDomainManager)]
    config.db.commit()
    try:
        with smtplib.SMTP(config.mta.smtp_host, int(config.mta.smtp_port), timeout=10) as smtp:
            smtp.ehlo()
            for domain in domains:
                smtp.docmd("ETRN", domain)
    except (OSError, smtplib.SMTPException) as error:
        log.info("lmtp: the MTA was not asked for waiting mail: %s", error)


class LMTPRunner(lmtp.LMTPRunner):
    """Upstream's, which also says that it is there: mail that waited for core waits no longer."""

    def run(self) -> None:
        """See `IRunner`."""
        with suppress(RunnerInterrupt):
            self.lmtp.start()
            ask_for_waiting_mail()
            while not self._stop:
                self._snooze(0)
            self.lmtp.stop()
