"""What tests have to know of each MTA, since no standard says it."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """One MTA."""

    name: str
    """As in MTA=."""

    deferral: str
    """Regular expression for the line of its log about a recipient, ``{}``, whose mail waits."""

    flush: tuple[str, ...]
    """The command that tries all waiting mail now."""

    greets_as: str
    """How the names of those of its processes begin that talk to the network."""

    def deferrals(self, log: str, recipient: str) -> list[str]:
        """What a log says of a recipient's mail that waits, a line for each try."""
        line = self.deferral.format(re.escape(recipient))
        return [found[0] for found in re.finditer(line, log)]


PROGRAMS = {
    program.name: program
    for program in (
        Program(
            "postfix",
            deferral=r".* to=<{}>, .*status=deferred .*",
            flush=("postqueue", "-f"),
            greets_as="smtpd",
        ),
        Program(
            "exim",
            # Where a router takes a suffix off, what was given stands in brackets.
            deferral=r".* == (?:\S+ <)?{}>? .*defer .*",
            flush=("exim", "-qff"),
            greets_as="exim",
        ),
        Program(
            "sendmail",
            deferral=r".* to=<?{}>?, .*stat=Deferred.*",
            # A selection of the queue, to which MinQueueAge does not apply.
            flush=("sendmail", "-qR@"),
            greets_as="sendmail",
        ),
    )
}
