"""The stack's own application among Django's."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Commands, and what watches HyperKitty's data."""

    name = "mailman_stack.web"

    def ready(self) -> None:
        """See Django."""
        from mailman_stack.web import changes  # noqa: F401, PLC0415 - needs the models
