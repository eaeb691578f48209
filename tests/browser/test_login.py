"""The web interface as it meets a person."""

from mailmanclient import MailingList
from playwright.sync_api import Page, expect

from tests.browser.accounts import fill_in_login


def test_first_page_lists_the_lists(page: Page, mailing_list: MailingList) -> None:
    page.goto("/")
    expect(page.get_by_role("main")).to_contain_text("Mailing Lists")
    page.goto(f"{page.url}?count=200")  # those of other tests come before it
    expect(page.get_by_role("cell", name=mailing_list.fqdn_listname)).to_be_visible()


def test_wrong_password_is_refused(page: Page) -> None:
    fill_in_login(page, "admin", "not the password")
    expect(page.get_by_text("not correct")).to_be_visible()
