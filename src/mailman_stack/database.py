"""Where a schema is, and waiting for it: the containers start at the same time."""

import time
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

PATIENCE_SECONDS = 120


class Database(NamedTuple):
    """Where one schema is and who may use it; ``options`` are mysqlclient's connect options."""

    host: str
    port: int
    user: str
    password: str
    schema: str
    options: str = ""

    @property
    def connect_options(self) -> dict[str, str]:
        """The options as mysqlclient's ``connect`` takes them."""
        return {"charset": "utf8mb4", **dict(parse_qsl(self.options))}

    @classmethod
    def from_url(cls, url: str) -> Self:
        """From ``mysql://user:password@host[:port]/schema[?options]``.

        :raises ValueError: when the port is not one, or what is percent-encoded is not UTF-8.
        """
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "",
            port=parts.port or 3306,
            user=unquote(parts.username or "", errors="strict"),
            password=unquote(parts.password or "", errors="strict"),
            schema=parts.path[1:],
            options=parts.query,
        )

    @property
    def url(self) -> str:
        """As SQLAlchemy wants it, which decodes user and password and takes the schema as it is."""
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        place = f"{self.host}:{self.port}/{self.schema}"
        return f"mysql://{login}@{place}?{urlencode(self.connect_options)}"


def wait_for(database: Database) -> None:
    """Return once the schema can be used.

    :raises SystemExit: with the server's own words when it cannot for PATIENCE_SECONDS.
    """
    import MySQLdb  # noqa: PLC0415 - the settings are for containers too that do not have it

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
