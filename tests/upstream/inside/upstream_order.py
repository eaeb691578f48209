"""A plugin of pytest, named in pytest.ini."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put that class last of django_mailman3's tests which leaves a transaction open.

    Its setUp begins a second one. Upstream does not notice: its SQLite in memory stays open when
    Django closes the connection after a class; here the connection would be of no more use.
    """
    items.sort(key=lambda item: "TestMailmanPaginator" in item.nodeid)
