"""The stack's own application among Django's."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Commands, what watches HyperKitty's data, and what it finds with less work."""

    name = "mailman_stack.web"

    def ready(self) -> None:
        """See Django."""
        from mailman_stack.web import changes, lookups  # noqa: F401, PLC0415 - need the models

        lookups.install()
