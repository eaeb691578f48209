"""Accounts of the web interface, made and used as people do it."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin

from playwright.sync_api import Page, expect

from tests.support.catcher import Mail
from tests.support.stack import Stack


@dataclass(frozen=True)
class Account:
    """What a person logs in with."""

    name: str
    address: str
    password: str


def sign_up(page: Page, stack: Stack, address: str) -> Account:
    """Make an account with a verified address, and log in; the name is the address' local part."""
    account = Account(address.partition("@")[0], address, "correct horse battery")
    request_account(page, account)
    confirm(page, stack.catcher.wait_to(address, "Please Confirm"))
    log_in(page, account.name, account.password)
    return account


def request_account(page: Page, account: Account, site: str = "") -> None:
    """Fill in the form that makes an account; its mail is then to be confirmed."""
    page.goto(urljoin(site, "/accounts/signup/"))
    page.get_by_label("Email", exact=True).fill(account.address)
    page.get_by_label("Username", exact=True).fill(account.name)
    page.get_by_label("Password", exact=True).fill(account.password)
    page.get_by_label("Password (again)", exact=True).fill(account.password)
    page.get_by_role("button", name="Sign Up").click()
    expect(page.get_by_role("heading", name="Verify Your Email Address")).to_be_visible()


def link_in(mail: Mail) -> str:
    """The link that a mail of the web interface asks to open."""
    links = re.findall(r"https?://\S+", mail.text)
    assert len(links) == 1, mail.text
    return str(links[0])


def confirm(page: Page, mail: Mail) -> None:
    """Confirm a mail address by the link that was sent to it."""
    page.goto(link_in(mail))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("You have confirmed")).to_be_visible()


def fill_in_login(page: Page, login: str, password: str, site: str = "") -> None:
    """Send the login form, whatever comes of it."""
    page.goto(urljoin(site, "/accounts/login/"))
    page.get_by_label("Login").fill(login)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign In").click()


def log_in(page: Page, login: str, password: str, site: str = "") -> None:
    """Log in by user name or mail address, on the site given or on the first one."""
    fill_in_login(page, login, password, site)
    expect(page.get_by_text("Successfully signed in as")).to_be_visible()


def log_in_as_admin(page: Page, stack: Stack) -> None:
    log_in(page, "admin", stack.secret("mailman_admin_password"))


def log_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.get_by_role("button", name="Sign Out").click()
    expect(page.get_by_text("You have signed out")).to_be_visible()
