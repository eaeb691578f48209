"""What headers and footers are made of is asked for once for a message.

Upstream asks some 25 questions for each of its recipients: for the list's domain, its archivers and
their links, its texts.
"""

from collections.abc import Callable
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from mailman.config import config
from mailman.email.message import Message
from mailman.interfaces.archiver import IArchiver
from mailman.interfaces.mailinglist import IListArchiverSet, IMailingList
from mailman.interfaces.template import ITemplateLoader
from mailman.model.mailinglist import ListArchiver
from mailman.model.template import Template, TemplateLoader
from sqlalchemy import or_
from zope.component import provideUtility
from zope.interface import implementer

from mailman_stack.core import memo

TEXTS = ("list:member:regular:header", "list:member:regular:footer")


def install() -> None:
    """Have texts remembered, by whoever asks for them with a `ListOfOneMessage`."""
    provideUtility(Loader(), ITemplateLoader)


class LinkOfOneMessage:
    """An archiver that is enabled, both as the site's and as the list's."""

    is_enabled = True

    def __init__(self, archiver: IArchiver) -> None:
        self.name = archiver.name
        self.system_archiver = self
        self._archiver = archiver
        self._links: list[str | None] = []

    def permalink(self, mlist: IMailingList, message: Message) -> str | None:
        """See `IArchiver`."""
        if not self._links:
            self._links.append(self._archiver.permalink(mlist, message))
        return self._links[0]


class ArchiverSet(NamedTuple):
    """See `IListArchiverSet`."""

    archivers: list[LinkOfOneMessage]


@implementer(IMailingList)
class ListOfOneMessage:
    """A list, which is asked each question once."""

    def __init__(self, mlist: IMailingList) -> None:
        self._mlist = mlist
        self._texts: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._mlist, name)
        setattr(self, name, value)
        return value

    def __conform__(self, interface: object) -> ArchiverSet | None:
        return self._archiver_set if interface is IListArchiverSet else None

    def text(self, name: str, load: Callable[[], str]) -> str:
        """A template; one whose URI depends on the recipient is loaded for each."""
        if name not in TEXTS or name in self._personal:
            return load()
        if name not in self._texts:
            self._texts[name] = load()
        return self._texts[name]

    @cached_property
    def _archiver_set(self) -> ArchiverSet:
        rows = config.db.store.query(ListArchiver).filter_by(mailing_list_id=self.id)
        disabled = {row.name for row in rows if not row._is_enabled}  # noqa: SLF001 - its part
        enabled = (one for one in config.archivers if one.is_enabled and one.name not in disabled)
        return ArchiverSet([LinkOfOneMessage(archiver) for archiver in enabled])

    @cached_property
    def _personal(self) -> set[str]:
        """The texts whose URIs hold placeholders other than those of the list."""
        contexts = (self.list_id, self.mail_host, None)
        its_own = or_(Template.context.in_(contexts[:2]), Template.context.is_(None))
        rows = config.db.store.query(Template).filter(Template.name.in_(TEXTS), its_own).all()
        there = {(row.name, row.context) for row in rows}
        for text in product(TEXTS, contexts):
            memo.note(text in there, "text", *text)
        return {row.name for row in rows if "user" in row.uri or "member" in row.uri}


class Loader(TemplateLoader):
    """Upstream's, for whom a `ListOfOneMessage` remembers."""

    def get(self, name: str, context: object = None, **substitutions: str) -> str:
        """See `ITemplateLoader`."""
        load = super().get
        if isinstance(context, ListOfOneMessage):
            return context.text(name, lambda: str(load(name, context, **substitutions)))
        return str(load(name, context, **substitutions))
