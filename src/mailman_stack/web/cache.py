"""What web and qcluster both keep in the database's cache table."""

import base64
import pickle
import random
from collections.abc import Mapping
from datetime import UTC, datetime

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router

FOR_EVER = datetime.max.replace(tzinfo=UTC)

COUNTED = 0.001
"""The share of what is set after which rows are counted, and removed if there are too many."""


class Cache(DatabaseCache):
    """Django's, for MySQL: it sets values in one statement, and counts all rows now and then only.

    Its own counts them for each value, then needs five statements more.
    """

    def set(
        self, key: str, value: object, timeout: object = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        """See Django."""
        self.set_many({key: value}, timeout, version)

    def set_many(
        self,
        data: Mapping[str, object],
        timeout: object = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> list[str]:
        """See Django."""
        seconds = self.get_backend_timeout(timeout)
        expires = FOR_EVER if seconds is None else datetime.fromtimestamp(seconds, UTC)
        connection = connections[router.db_for_write(self.cache_model_class)]
        until = connection.ops.adapt_datetimefield_value(expires.replace(microsecond=0))
        rows = [
            (self.make_and_validate_key(key, version), self._packed(value), until)
            for key, value in sorted(data.items())
        ]
        table = connection.ops.quote_name(self._table)
        places = ", ".join(["(%s, %s, %s)"] * len(rows))
        statement = f"REPLACE INTO {table} (cache_key, value, expires) VALUES {places}"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(statement, [field for row in rows for field in row])
        if random.random() < COUNTED:  # noqa: S311 - no secret
            super().set("counted", True, timeout=None)
        return []

    def _packed(self, value: object) -> str:
        return base64.b64encode(pickle.dumps(value, self.pickle_protocol)).decode("ascii")
