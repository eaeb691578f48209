"""What every runner does at its first message or request, done once before they are forked.

They share what it leaves in memory: what SQLAlchemy makes of the model and of queries, and what
answers REST.
"""

from base64 import b64encode
from wsgiref.util import setup_testing_defaults

import gunicorn.workers.sync  # noqa: F401 - imported late, by each worker
from mailman.config import config
from mailman.database.model import Model
from mailman.database.transaction import transaction
from mailman.model.language import Language
from mailman.utilities.modules import find_name

WITHOUT_TABLE = {Language}

REQUESTS = (
    "/3.1/system/versions",
    "/3.1/domains",
    "/3.1/lists/nobody.example.invalid",
    "/3.1/users/nobody@example.invalid",
    "/3.1/addresses/nobody@example.invalid",
)
"""Of these none takes longer the more there is."""


def rehearse() -> None:
    """Ask for something of each kind; nothing is changed."""
    _look_into_each_table()
    _answer()


def _look_into_each_table() -> None:
    with transaction():
        for mapper in Model.registry.mappers:
            if mapper.class_ not in WITHOUT_TABLE:
                config.db.store.query(mapper.class_).first()


def _answer() -> None:
    login = f"{config.webservice.admin_user}:{config.webservice.admin_pass}"
    # It can be imported only once the configuration has been loaded.
    application = find_name("mailman.rest.wsgiapp.make_application")()
    for path in REQUESTS:
        environment = {
            "PATH_INFO": path,
            "HTTP_AUTHORIZATION": f"Basic {b64encode(login.encode()).decode()}",
        }
        setup_testing_defaults(environment)
        application(environment, lambda *_status_and_headers: None)
