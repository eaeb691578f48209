"""Whether the schema is the one that the installed applications need."""

import time

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

PATIENCE_SECONDS = 300


def missing_migrations() -> list[str]:
    """The migrations still to apply, in order, as ``application.name``."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [str(migration) for migration, _backwards in plan]


def forget_unfinished_first_start() -> None:
    """Drop the tables of a first start that was killed: MySQL cannot undo half a migration.

    They are known by having neither an account nor a message; nobody else's tables are touched.
    """
    prefixes = ("django_", *(f"{app.label}_" for app in apps.get_app_configs()))
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in {"auth_user", "hyperkitty_email"}.intersection(tables):
            cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608 - a name from above
            if cursor.fetchone():
                return
        cursor.execute("SET foreign_key_checks = 0")
        for table in tables:
            if table.startswith(prefixes):
                cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)}")
        cursor.execute("SET foreign_key_checks = 1")


def wait_until_current() -> None:
    """Return once another container, web, has applied every migration.

    :raises SystemExit: when it has not for PATIENCE_SECONDS.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while missing := _missing_or_unknown():
        if time.monotonic() > deadline:
            raise SystemExit(f"qcluster: web has not migrated the database: {missing[0]} is next")
        time.sleep(0.5)


def _missing_or_unknown() -> list[str]:
    try:
        return missing_migrations()
    except DatabaseError as error:
        connection.close()
        return [str(error)]
