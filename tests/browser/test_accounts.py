"""Accounts: how a person comes by one, keeps it safe and gives it up."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from mailmanclient import MailingList
from playwright.sync_api import Page, expect

from tests.browser.accounts import (
    Account,
    confirm,
    fill_in_login,
    link_in,
    log_in,
    log_out,
    request_account,
    sign_up,
)
from tests.browser.pages import fill_in, page_of, press, walk
from tests.support.lists import members, subscribe
from tests.support.stack import Stack

SITE = "http://www.example.com"
on_every_site = pytest.mark.parametrize("host", ["www.example.com", "archive.example.net"])


@on_every_site
def test_an_account_is_made_by_the_link_in_the_mail(
    page: Page, stack: Stack, address: Callable[[str], str], unique: str, host: str
) -> None:
    site = f"http://{host}"
    account = Account(unique, address("anne"), "correct horse battery")
    request_account(page, account, site)
    fill_in_login(page, account.name, account.password, site)
    expect(page.get_by_role("heading", name="Verify Your Email Address")).to_be_visible()

    mail = stack.catcher.wait_to(account.address, "Please Confirm")
    assert link_in(mail).startswith(f"{site}/accounts/confirm-email/")
    assert mail.message["Subject"].startswith(f"[{host}] ")
    confirm(page, mail)

    log_in(page, account.name, account.password, site)
    assert stack.rest.get_address(account.address).verified_on


def test_logs_in_by_user_name_and_by_mail_address(page: Page, member_account: Account) -> None:
    log_in(page, member_account.name, member_account.password)
    log_out(page)
    log_in(page, member_account.address, member_account.password)


@pytest.mark.parametrize("path", ["confirm-email/", "password/reset/done/", "inactive/"])
def test_every_page_of_the_accounts_looks_like_the_site(page: Page, path: str) -> None:
    page.goto(f"/accounts/{path}")
    expect(page.get_by_role("link", name="Manage lists")).to_be_visible()


def test_a_guesser_of_passwords_is_stopped(page: Page, unique: str) -> None:
    for guess in range(5):
        fill_in_login(page, unique, f"guess {guess}")
        expect(page.get_by_text("not correct")).to_be_visible()
    fill_in_login(page, unique, "one more guess")
    expect(page.get_by_text("Too many failed login attempts")).to_be_visible()


def test_the_password_is_changed(page: Page, stack: Stack, address: Callable[[str], str]) -> None:
    account = sign_up(page, stack, address("anne"))
    page.goto("/accounts/password/change/")
    page.get_by_label("Current Password").fill(account.password)
    page.get_by_label("New Password", exact=True).fill("another battery staple")
    page.get_by_label("New Password (again)").fill("another battery staple")
    page.get_by_role("button", name="Change Password").click()
    expect(page.get_by_text("Password successfully changed")).to_be_visible()

    log_out(page)
    fill_in_login(page, account.name, account.password)
    expect(page.get_by_text("not correct")).to_be_visible()
    log_in(page, account.name, "another battery staple")


@on_every_site
def test_a_forgotten_password_is_reset_by_the_link_in_the_mail(
    page: Page, stack: Stack, address: Callable[[str], str], host: str
) -> None:
    site = f"http://{host}"
    account = sign_up(page, stack, address("anne"))
    log_out(page)
    page.goto(f"{site}/accounts/password/reset/")
    page.get_by_label("Email").fill(account.address)
    page.get_by_role("button", name="Reset My Password").click()

    mail = stack.catcher.wait_to(account.address, "Password Reset")
    assert link_in(mail).startswith(f"{site}/accounts/password/reset/key/")
    assert mail.message["Subject"].startswith(f"[{host}] ")
    assert mail.message["Message-ID"].endswith("@lists.example.com>")
    page.goto(link_in(mail))
    page.get_by_label("New Password", exact=True).fill("another battery staple")
    page.get_by_label("New Password (again)").fill("another battery staple")
    page.get_by_role("button", name="change password").click()
    expect(page.get_by_text("Your password is now changed")).to_be_visible()
    log_in(page, account.name, "another battery staple", site)


def test_a_second_address_is_added_verified_and_takes_the_firsts_place(
    page: Page, stack: Stack, address: Callable[[str], str]
) -> None:
    account = sign_up(page, stack, address("anne"))
    second = address("anne-at-work")
    page.goto("/accounts/email/")
    page.get_by_label("Email", exact=True).fill(second)
    page.get_by_role("button", name="Add E-mail").click()
    confirm(page, stack.catcher.wait_to(second, "Please Confirm"))

    user = stack.rest.get_user(account.address)
    assert {known.email for known in user.addresses} == {account.address, second}
    assert stack.rest.get_address(second).verified_on

    page.goto("/accounts/email/")
    page.get_by_label(second).check()
    page.get_by_role("button", name="Make Primary").click()
    expect(page.get_by_text("Primary email address set")).to_be_visible()
    assert stack.rest.get_user(account.address).preferred_address.email == second

    page.get_by_label(account.address).check()
    page.once("dialog", lambda question: question.accept())
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text(f"Removed email address {account.address}")).to_be_visible()
    assert [known.email for known in stack.rest.get_user(second).addresses] == [second]


def test_a_profile_names_its_person_and_shows_times_in_their_own_zone(
    page: Page,
    admin: Page,
    stack: Stack,
    mailing_list: MailingList,
    address: Callable[[str], str],
) -> None:
    anne = sign_up(page, stack, address("anne")).address
    mailing_list.add_owner(anne)
    page.goto("/user-profile/")
    fill_in(page, {"first_name": "Änne", "last_name": "Müller", "timezone": "Asia/Tokyo"})
    press(page, "Update", "The profile was successfully updated")
    assert stack.rest.get_user(anne).display_name == "Änne Müller"

    made = datetime.fromisoformat(mailing_list.settings["created_at"])
    # In turn, as upstream showed them in the zone of the reader before.
    for reader, hours in ((page, 9), (admin, 0), (page, 9), (admin, 0)):
        # In English it may be "midnight".
        reader.context.add_cookies([{"name": "django_language", "value": "de", "url": SITE}])
        reader.goto(page_of(mailing_list))
        time = f"{made + timedelta(hours=hours):%H:%M}"
        expect(reader.get_by_role("definition").first).to_contain_text(time)


def test_every_page_of_an_account_opens(member: Page, mailing_list: MailingList) -> None:
    member.goto("/user-profile/")
    walk(member, "/user-profile/", "/accounts/")
    member.goto("/mailman3/accounts/subscriptions/")
    walk(member, "/mailman3/accounts/")
    member.goto(page_of(mailing_list))
    walk(member, page_of(mailing_list))


def test_a_deleted_account_leaves_its_lists_and_opens_no_more(
    page: Page, stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    account = sign_up(page, stack, address("anne"))
    subscribe(mailing_list, account.address)
    page.goto("/user-profile/delete")
    page.get_by_role("button", name="Delete Account").click()
    expect(page.get_by_text("Successfully deleted account")).to_be_visible()

    assert members(mailing_list) == []
    fill_in_login(page, account.name, account.password)
    expect(page.get_by_text("not correct")).to_be_visible()
