"""What every runner does at its first message or request, done once before they are forked.

They share what it leaves in memory: modules that Mailman imports late, what SQLAlchemy makes of the
model and of queries, the application that answers REST.
"""

import importlib
import pkgutil
from base64 import b64encode
from wsgiref.util import setup_testing_defaults

import gunicorn.workers.sync  # noqa: F401 - imported late, by each worker
import mailman
from mailman.config import config
from mailman.database.model import Model
from mailman.database.transaction import transaction
from mailman.model.language import Language
from mailman.rest.wsgiapp import make_application

NOT_RUN = ("alembic", "bin", "docs", "testing", "tests")
"""Parts of Mailman that no runner uses."""

WITHOUT_TABLE = {Language}

REQUESTS = (
    "/3.1/domains",
    "/3.1/lists",
    "/3.1/members",
    "/3.1/users",
    "/3.1/lists/nobody.example.invalid",
    "/3.1/addresses/nobody@example.invalid",
)


def rehearse() -> None:
    """Do all of it; nothing is changed."""
    _import_all()
    _look_into_each_table()
    _answer()


def _import_all() -> None:
    for module in pkgutil.walk_packages(mailman.__path__, "mailman."):
        if not set(module.name.split(".")) & set(NOT_RUN):
            importlib.import_module(module.name)


def _look_into_each_table() -> None:
    with transaction():
        for mapper in Model.registry.mappers:
            if mapper.class_ not in WITHOUT_TABLE:
                config.db.store.query(mapper.class_).first()


def _answer() -> None:
    login = f"{config.webservice.admin_user}:{config.webservice.admin_pass}"
    application = make_application()
    for path in REQUESTS:
        environment = {
            "PATH_INFO": path,
            "QUERY_STRING": "count=1&page=1",
            "HTTP_AUTHORIZATION": f"Basic {b64encode(login.encode()).decode()}",
        }
        setup_testing_defaults(environment)
        application(environment, lambda *_status_and_headers: None)
