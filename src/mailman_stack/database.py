"""Waiting for the database: the containers start at the same time."""

import time

import MySQLdb

from mailman_stack.settings import Database

PATIENCE_SECONDS = 120


def wait_for(database: Database) -> None:
    """Return once the schema can be used.

    :raises SystemExit: with the server's own words when it cannot for PATIENCE_SECONDS.
    """
    print(f"waiting for schema {database.schema} on {database.host}:{database.port}", flush=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            MySQLdb.connect(
                host=database.host,
                port=database.port,
                user=database.user,
                password=database.password,
                database=database.schema,
                connect_timeout=5,
                **database.connect_options,
            ).close()
        except MySQLdb.Error as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"database: {error.args[-1]}") from None
            time.sleep(0.2)
        else:
            return
