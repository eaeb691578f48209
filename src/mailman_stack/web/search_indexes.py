"""What the full-text search knows of a message."""

from haystack import indexes
from hyperkitty import search_indexes as upstream
from whoosh.analysis import RegexTokenizer


class EmailIndex(upstream.EmailIndex):
    """HyperKitty's, with the list's name as one word.

    Its own makes words of the name and takes their stems. So a search in the list `dev@` found
    what was sent to the private list `secret-dev@` as well.
    """

    mailinglist = indexes.CharField(
        model_attr="mailinglist__name",
        analyzer=RegexTokenizer(r"[^']+"),  # Haystack asks for it between apostrophes
    )
