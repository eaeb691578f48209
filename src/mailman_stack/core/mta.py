"""What core writes for the MTA: ``[mta] incoming:`` of mailman.cfg."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from flufl.lock import Lock
from mailman.config import config
from mailman.config.config import external_configuration
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.mailinglist import IMailingList
from mailman.interfaces.mta import IMailTransportAgentAliases, IMailTransportAgentLifecycle
from mailman.mta import exim4, postfix
from zope.component import getUtility
from zope.interface import implementer


@contextmanager
def readable_by_the_mta() -> Iterator[None]:
    """Mailman's umask hides what it writes from everyone else, so from the MTA's user too."""
    umask = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(umask)


class Addressed(NamedTuple):
    """What upstream makes a list's addresses from."""

    list_name: str
    mail_host: str

    @property
    def posting_address(self) -> str:
        """See `IMailingList`."""
        return f"{self.list_name}@{self.mail_host}"


class PostfixMaps(postfix.LMTP):
    """Mailman's own maps, in a form that another container, or the host, can rely on.

    Sendmail reads them too, as those of type hash.
    """

    def __init__(self) -> None:
        super().__init__()
        # Where the MTA reaches core; it need not be where core listens.
        self._reached = external_configuration(config.mta.configuration)["stack"]["lmtp"]

    def create(self, mlist: IMailingList) -> None:
        """Add a list's addresses; to write those of all lists takes longer the more there are."""
        host = mlist.mail_host
        own_name = not getUtility(IDomainManager).get(host).alias_domain
        if self.transport_file_type == "hash" and own_name and self._has_lists(host):
            self._add(Addressed(mlist.list_name, host))
        else:
            self.regenerate()

    def delete(self, _mlist: IMailingList) -> None:
        """Write all maps anew."""
        self.regenerate()

    def regenerate(self, directory: str | None = None) -> None:
        """Write and index all maps before a list's creation or removal is answered."""
        with readable_by_the_mta():
            super().regenerate(directory)

    def _has_lists(self, host: str) -> bool:
        path = Path(config.DATA_DIR, "postfix_domains")
        lines = path.read_text().splitlines() if path.exists() else []
        return any(line.endswith(f" {host}") for line in lines)

    def _add(self, mlist: Addressed) -> None:
        path = Path(config.DATA_DIR, "postfix_lmtp")
        lines = "".join(self._entries(mlist))
        with Lock(str(Path(config.LOCK_DIR, "mta"))):
            with path.open("a") as file:
                file.write(lines)
            # -i adds to the index, and -r: without complaint about what is there already.
            command = [*shlex.split(self.postmap_command), "-i", "-r", str(path)]
            subprocess.run(command, input=lines, text=True, check=True)

    def _entries(self, mlist: Addressed) -> Iterator[str]:
        for address in getUtility(IMailTransportAgentAliases).aliases(mlist):
            yield f"{self._decorate(address)} lmtp:{self._reached}\n"

    def _decorate(self, name: str) -> str:
        """In a regexp table what follows a + is part of every address, as it is in the others."""
        key: str = super()._decorate(name)
        if self.transport_file_type != "regex" or "(" in key:
            return key
        # Longer than upstream's columns leave room for: with a space of its own.
        return key.replace("@", "(\\+.*)?@") + " "

    def _generate_lmtp_file(self, fp: TextIO) -> None:
        """As upstream, but with one look at the domains, not one for each list."""
        names = {domain.mail_host: domain.alias_domain for domain in getUtility(IDomainManager)}
        for list_name, host in sorted(getUtility(IListManager).name_components):
            fp.writelines(self._entries(Addressed(list_name, names.get(host) or host)))

    def _generate_domains_file(self, fp: TextIO) -> None:
        """Name a domain that has an alias too: its lists are reached under both."""
        super()._generate_domains_file(fp)
        for domain in getUtility(IDomainManager):
            if domain.alias_domain:
                print(self._decorate(domain.mail_host), domain.mail_host, file=fp)

    def _generate_vmap_file(self, fp: TextIO) -> bool:
        """Keep the map of alias domains when it is empty: Postfix fails without a named table."""
        if any(domain.alias_domain for domain in getUtility(IDomainManager)):
            super()._generate_vmap_file(fp)
        return True


@implementer(IMailTransportAgentLifecycle)
class EximLists(exim4.LMTP):
    """Exim finds a list by its directory; only the domains have to be told (lsearch, spec 9.3)."""

    def regenerate(self, directory: str | None = None) -> None:
        """Have a directory for each list, and for no other, whatever a backup has brought.

        What belongs to no list is kept under a name that is no address's: the database may be the
        wrong one.
        """
        lists = set(getUtility(IListManager).list_ids)
        with readable_by_the_mta():
            for list_id in lists:
                Path(config.LIST_DATA_DIR, list_id).mkdir(parents=True, exist_ok=True)
        for path in Path(config.LIST_DATA_DIR).iterdir():
            if path.name not in lists and "~" not in path.name:
                path.rename(path.with_name(f"{path.name}~{time.time():.0f}"))
        self._write_domains(directory or config.DATA_DIR)

    def create(self, _mlist: object) -> None:
        """Name the list's domain, which may have been made a moment ago."""
        self._write_domains(config.DATA_DIR)

    delete = create

    def _write_domains(self, directory: str) -> None:
        """A line for each domain and alias domain, with the domain that its lists belong to."""
        lock, path = Path(config.LOCK_DIR, "mta"), Path(directory, "exim_domains")
        with Lock(str(lock)), readable_by_the_mta(), postfix.atomic(str(path)) as file:
            for domain in getUtility(IDomainManager):
                for name in filter(None, (domain.mail_host, domain.alias_domain)):
                    file.write(f"{name}: {domain.mail_host}\n")
