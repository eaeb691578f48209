"""What is extended in every process of Mailman: ``[plugin.stack] class:`` of mailman.cfg."""

from mailman.interfaces.plugin import IPlugin
from mailman.interfaces.template import ITemplateManager
from zope.component import provideUtility
from zope.interface import implementer

from mailman_stack.core import archivers, destinations, digests, lookups, recipients
from mailman_stack.core.templates import Templates


@implementer(IPlugin)
class Plugin:
    """Mailman's way to be extended as it begins, in the master as in each command."""

    resource = None

    def pre_hook(self) -> None:
        """Before anything asks for a text."""
        provideUtility(Templates(), ITemplateManager)

    def post_hook(self) -> None:
        """When Mailman is complete."""
        archivers.install()
        destinations.install()
        digests.install()
        lookups.install()
        recipients.install()
