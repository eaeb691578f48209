"""``python -m mailman_stack.show host``: lines for a program outside of the stack, with its values.

``host`` are those for HOST_MTA, ``sieve`` is the rule for a mailbox that fetchmail reads. To be run
as the service web, which is in every network that mail is sent from.
"""

import sys

from mailman_stack import mta
from mailman_stack.failing import SettingsError, fail
from mailman_stack.render import TEMPLATES, environment
from mailman_stack.settings import Settings, load


def template(what: str, settings: Settings) -> str:
    """The template's name below ``config/``.

    :raises SettingsError: when there is nothing to show.
    """
    if what == "sieve":
        return "sieve/mailman.sieve.j2"
    if settings.host_mta == "none":
        raise SettingsError(
            ["HOST_MTA: set it, with MTA=none, to the program that runs on the host"]
        )
    return f"host/{settings.host_mta}.j2"


def main(what: str) -> None:
    """Print the lines; exit with 78 (EX_CONFIG) and the reasons where the settings are wrong."""
    try:
        settings = load("web")
        name = template(what, settings)
    except SettingsError as error:
        fail("web", error.problems)
    print(
        environment(TEMPLATES).get_template(name).render(settings=settings, networks=mta.networks())
    )


if __name__ == "__main__":
    main(sys.argv[1])
