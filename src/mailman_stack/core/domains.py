"""The domains that the settings name: ``domains.cfg``."""

from collections.abc import Mapping

from mailman.config import config
from mailman.config.config import external_configuration
from mailman.database.transaction import transaction
from mailman.interfaces.domain import IDomainManager
from zope.component import getUtility


def web_urls() -> Mapping[str, str]:
    """Scheme and host of the pages of each domain, like ``https://lists.example.org``."""
    urls: Mapping[str, str] = external_configuration(config.plugin.stack.configuration)["domains"]
    return urls


def add_missing() -> None:
    """Make the domains that core does not have yet; none is ever removed here.

    Each is told the URL of its lists' pages, for the links of templates (`$mailinglist_url`).
    """
    with transaction():
        domains = getUtility(IDomainManager)
        for name, url in web_urls().items():
            domain = domains.get(name) or domains.add(name)
            domain.base_url = f"{url}/mailman3"
