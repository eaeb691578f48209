"""HyperKitty as core's archiver: ``[archiver.hyperkitty] class:``, ``[runner.archive] class:``.

Upstream's asks HyperKitty for two URLs with every post, waits as long as an answer takes, and keeps
what was not taken until the next post comes, before which it tries all of it again. Here the URL of
a list is asked for once in a while, and its posts hardly wait for the answer. All that is to be
archived goes through the spool, in its order: while HyperKitty works on a message, the archive
runner reads the next, and what is not taken is tried again by itself.
"""

import logging
import os
import threading
import time
from base64 import b32encode
from email.errors import MessageError
from email.utils import unquote
from hashlib import sha1
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import mailman_hyperkitty
import requests
from mailman.config import config
from mailman.core.switchboard import Switchboard
from mailman.email.message import Message
from mailman.interfaces.mailinglist import IMailingList
from mailman.runners import archive
from requests import HTTPError, RequestException

from mailman_stack.core import domains

log = logging.getLogger("mailman.archiver")

URL_SECONDS = 60
"""How long a list's URL is believed: its domain may move to another host name."""

REFUSED_SECONDS = 60
"""Until a message that HyperKitty answered with an error is tried again."""

ASK_SECONDS = 10
"""How long a post waits for a link to its archive, which HyperKitty alone knows."""

AGAIN_SECONDS = 0.1
"""How long it waits to hear that nothing has changed."""

ARCHIVE_SECONDS = 330
"""How long HyperKitty may take for a message; uWSGI ends a request after 300 s."""

NICE = 15
"""Where posts come faster than they can be sent, sending them comes before archiving them."""

AWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


class Archiver(mailman_hyperkitty.Archiver):
    """Upstream's, with its spool in ``archives/hyperkitty/spool``."""

    def __init__(self) -> None:
        super().__init__()
        self._web_urls = domains.web_urls()
        self._urls: dict[str, tuple[float, str]] = {}
        self._trouble: Exception | None = None
        self.spooled = threading.Event()

    @property
    def spool(self) -> Switchboard:
        """What waits for HyperKitty, each message with its list as ``mlist``, as upstream's."""
        return self._switchboard

    def list_url(self, mlist: IMailingList) -> str:
        """See `IArchiver`; the last that is known, or that of the settings, without an answer."""
        name = mlist.fqdn_listname
        asked, url = self._urls.get(name, (-URL_SECONDS, self._expected_url(mlist)))
        if not url or time.monotonic() - asked > URL_SECONDS:
            url = self._ask(name, AGAIN_SECONDS if url else ASK_SECONDS) or url
            self._urls[name] = (time.monotonic(), url)
        return url

    def permalink(self, mlist: IMailingList, msg: Message) -> str:
        """See `IArchiver`; below the list's, as in ``hyperkitty.urls``."""
        message_id = unquote(msg["Message-Id"].strip().strip("<>")).encode()
        digest = b32encode(sha1(message_id, usedforsecurity=False).digest()).decode()
        url = self.list_url(mlist)
        return url and f"{url}message/{digest}/"

    def archive_message(self, mlist: IMailingList, msg: Message) -> None:
        """See `IArchiver`; a `Sender` takes it from there."""
        try:
            self.spool.enqueue(msg, mlist=mlist)
        except Exception as error:  # noqa: BLE001 - raised by `check`
            self._trouble = error
        self.spooled.set()

    def check(self) -> None:
        """Raise why the last message could not be spooled."""
        trouble, self._trouble = self._trouble, None
        if trouble:
            raise trouble

    def _ask(self, name: str, seconds: float) -> str:
        try:
            answer = requests.get(
                urljoin(self.base_url, "api/mailman/urls"),
                params={"mlist": name}, headers=self.headers, timeout=seconds,
            )  # fmt: skip
            answer.raise_for_status()
            return str(answer.json()["url"])
        except (RequestException, ValueError) as error:
            log.info("HyperKitty does not say where %s is: %s", name, error)
            return ""

    def _expected_url(self, mlist: IMailingList) -> str:
        """What HyperKitty says of a list, unless its domain has been given another web host."""
        url = self._web_urls.get(mlist.mail_host)
        return f"{url}/archives/list/{mlist.fqdn_listname}/" if url else ""


class Sender(threading.Thread):
    """Has archived what an archiver spools; first of all what was under way when core died.

    :param seconds: until what is not taken, since HyperKitty is away, is tried again.
    """

    def __init__(self, archiver: Archiver, seconds: float) -> None:
        super().__init__()
        self._archiver = archiver
        self._spool = archiver.spool
        self._seconds = seconds
        self._refused: dict[str, float] = {}
        self._away = False
        self._stopped = False
        self._session = requests.Session()
        self._session.headers.update(archiver.headers)
        self._spool.recover_backup_files()

    def run(self) -> None:
        """See `threading.Thread`."""
        while not self._stopped:
            left = self._work_off_spool()
            self._archiver.spooled.wait(self._seconds if left else None)
            self._archiver.spooled.clear()

    def stop(self) -> None:
        """End what has begun, and nothing else."""
        self._stopped = True
        self._archiver.spooled.set()
        self.join()

    def _work_off_spool(self) -> bool:
        """Tell whether something is left for later."""
        try:
            for name in self._spool.files:
                if self._stopped or not self._try(name):
                    break
            return bool(self._spool.files)
        except Exception:
            log.exception("The spool for HyperKitty is tried again")
            return True

    def _try(self, name: str) -> bool:
        """Have a message archived, if it is time; tell whether the next can be tried."""
        if time.monotonic() - self._refused.get(name, -REFUSED_SECONDS) < REFUSED_SECONDS:
            return True
        try:
            msg, data = self._spool.dequeue(name)
        except Exception:
            log.exception("Preserved in queue/bad, since it cannot be read: %s", name)
            self._spool.finish(name, preserve=True)
            return True
        try:
            self._send(data["mlist"], msg)
        except Exception as error:  # noqa: BLE001 - logged there
            self._put_back(name, error)
        else:
            self._away = False
            self._spool.finish(name)
            self._refused.pop(name, None)
        return not self._away

    def _send(self, mlist: IMailingList, msg: Message) -> None:
        """Have a message archived.

        :raises HTTPError: when HyperKitty answers with an error, perhaps because of the message.
        :raises RequestException: when it does not answer.
        """
        try:
            content = msg.as_bytes()
        except (MessageError, KeyError, UnicodeEncodeError):
            log.exception("%s is never archived", msg["Message-Id"])
            return
        answer = self._session.post(
            urljoin(self._archiver.base_url, "api/mailman/archive"),
            data={"mlist": mlist.fqdn_listname}, files={"message": ("message.txt", content)},
            timeout=ARCHIVE_SECONDS,
        )  # fmt: skip
        if answer.status_code in AWAY:
            raise RequestException(f"HyperKitty is away: {answer.status_code}")
        answer.raise_for_status()
        log.info(
            "HyperKitty archived message %s to %s", msg["Message-Id"].strip(), answer.json()["url"]
        )

    def _put_back(self, name: str, error: Exception) -> None:
        """Keep a message for later; a trouble that lasts is logged once."""
        unknown = not isinstance(error, RequestException)
        away = not unknown and not isinstance(error, HTTPError)
        if not (away and self._away):
            log.error(
                "HyperKitty did not archive a message, which waits: %s", error, exc_info=unknown
            )
        self._away = away
        if not away:
            self._refused[name] = time.monotonic()
        path = Path(self._spool.queue_directory, f"{name}.bak")
        path.rename(path.with_suffix(".pck"))


class ArchiveRunner(archive.ArchiveRunner):
    """Upstream's, with a sender for our archiver, which tries again every ``sleep_time``."""

    def __init__(self, name: str, slice: int | None = None) -> None:  # noqa: A002 - upstream's
        super().__init__(name, slice)
        os.nice(NICE)
        enabled = (each for each in config.archivers if each.is_enabled)
        self._archivers = [each for each in enabled if isinstance(each, Archiver)]
        self._senders = [Sender(archiver, self.sleep_float) for archiver in self._archivers]
        for sender in self._senders:
            sender.start()

    def _dispose(self, mlist: IMailingList, msg: Message, msgdata: dict[str, Any]) -> None:
        """Upstream's, which is done with a message whatever errors its archivers raise."""
        super()._dispose(mlist, msg, msgdata)
        for archiver in self._archivers:
            archiver.check()

    def _clean_up(self) -> None:
        for sender in self._senders:
            sender.stop()
        super()._clean_up()
