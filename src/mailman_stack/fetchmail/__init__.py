"""Mail from a mailbox: fetchmail, a gateway that hands its mail to core, and a quarantine."""
