"""Days that pass in no time: what core remembers of a list is made older."""

from mailmanclient import MailingList

from tests.support.stack import Stack

QUERY = """
MYSQL_PWD="$(cat /run/secrets/core_database_password)" mysql -h 127.0.0.1 -u core core -e "$0"
"""
AGE = """
UPDATE mailinglist SET digest_last_sent_at = digest_last_sent_at - INTERVAL {days} DAY
    WHERE list_id = '{list_id}';
UPDATE member SET last_bounce_received = last_bounce_received - INTERVAL {days} DAY
    WHERE list_id = '{list_id}';
UPDATE member SET last_warning_sent = last_warning_sent - INTERVAL {days} DAY
    WHERE list_id = '{list_id}' AND last_warning_sent > '2000-01-01';
UPDATE autoresponserecord JOIN mailinglist ON mailinglist.id = mailing_list_id
    SET date_sent = date_sent - INTERVAL {days} DAY WHERE list_id = '{list_id}';
"""


def pass_days(stack: Stack, mailing_list: MailingList, days: int) -> None:
    """Let what a list has done, and what was heard of its members, be longer ago."""
    statements = AGE.format(days=days, list_id=mailing_list.list_id)
    stack.exec("database", "sh", "-c", QUERY, statements)
