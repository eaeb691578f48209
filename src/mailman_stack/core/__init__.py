"""What is plugged into Mailman core, each piece by Mailman's own extension points."""
