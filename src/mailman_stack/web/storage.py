"""How static files are named."""

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files import File


class StaticFiles(ManifestStaticFilesStorage):
    """By a hash of their content. What a style sheet names but nobody ships keeps its name.

    Django fails on such references; jQuery UI's and Bootstrap's style sheets hold some.
    """

    manifest_strict = False

    def hashed_name(
        self, name: str, content: File | None = None, filename: str | None = None
    ) -> str:
        try:
            hashed: str = super().hashed_name(name, content, filename)
        except ValueError:
            return name
        return hashed
