"""Answers of the database that hold for as long as a transaction lasts and changes nothing.

Three of Mailman's rules ask of each sender whether it is banned, others whether it is a member; and
an address may be a sender by several headers. Only the runners remember, which are done with a
transaction in the next moment.
"""

from collections.abc import Callable, Hashable
from typing import Any

from mailman.config import config
from mailman.model.mailinglist import MailingList
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

KEPT = "mailman_stack.memo"
"""The name, in a session's ``info``, of what is remembered."""


def install() -> None:
    """Remember, in this thread, until something is changed or the transaction ends."""
    if KEPT in config.db.store.info:
        return
    config.db.store.info[KEPT] = {}
    event.listen(config.db.sessionmaker, "after_flush", _forget_by_flush)
    event.listen(config.db.sessionmaker, "after_transaction_end", _forget_at_end)
    event.listen(config.db.sessionmaker, "do_orm_execute", _forget_by_statement)


def remembered[T](ask: Callable[[], T], *question: Hashable) -> T:
    """Ask, unless the answer to this question is known."""
    store: Session = config.db.store
    known: dict[Hashable, Any] | None = store.info.get(KEPT)
    if known is None or _is_changed(store):
        return ask()  # which first writes all that
    if question not in known:
        known[question] = ask()
    answer: T = known[question]
    return answer


def note(answer: object, *question: Hashable) -> None:
    """Know an answer from now on, if answers are remembered."""
    config.db.store.info.get(KEPT, {})[question] = answer


def _is_changed(store: Session) -> bool:
    """Whether more than the list is: each post changes its counters, on which no answer depends."""
    if store.new or store.deleted:
        return True
    return any(not isinstance(row, MailingList) for row in store.dirty)


def _forget(store: Session) -> None:
    store.info.get(KEPT, {}).clear()


def _forget_by_flush(store: Session, _context: object) -> None:
    if _is_changed(store):
        _forget(store)


def _forget_at_end(store: Session, transaction: SessionTransaction) -> None:
    is_a_flush = transaction.parent and not transaction.nested
    if not is_a_flush:
        _forget(store)


def _forget_by_statement(statement: ORMExecuteState) -> None:
    if not statement.is_select:
        _forget(statement.session)
