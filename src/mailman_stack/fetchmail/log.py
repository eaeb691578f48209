"""The log: standard output, a line for each thing, with the mailbox it is about."""

from mailman_stack.fetchmail.account import Account


def log(account: Account, text: str) -> None:
    """Print one line, whatever a message's headers or a server's reply may hold."""
    line = "".join(character if character.isprintable() else " " for character in text)
    print(f"{account.mailbox.name}: {line}", flush=True)
