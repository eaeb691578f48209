"""What the containers of the stack share: settings, templates, and how a daemon is started."""
