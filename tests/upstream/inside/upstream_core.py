"""A plugin of pytest for mailmanclient's tests."""

from contextlib import closing

import MySQLdb
import pytest


@pytest.fixture(scope="module", autouse=True)
def _empty_database() -> None:
    """Each module's core begins with nothing: upstream removes its directory, with SQLite in it."""
    where = {"host": "database", "user": "core", "passwd": "upstream", "database": "core"}
    with closing(MySQLdb.connect(**where)) as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute("SHOW TABLES")
        for (table,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE `{table}`")
