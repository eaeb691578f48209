"""What the tests share: the stack, mail, waiting, and evidence of what went wrong."""
