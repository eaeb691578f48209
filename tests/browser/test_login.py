"""The web interface as a person uses it."""

from playwright.sync_api import Page, expect

from tests.support.stack import Stack


def log_in(page: Page, stack: Stack) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Login").fill("admin")
    page.get_by_label("Password").fill(stack.secret("mailman_admin_password"))
    page.get_by_role("button", name="Sign In").click()


def test_first_page_lists_the_lists(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("main")).to_contain_text("Mailing Lists")


def test_admin_logs_in_and_creates_a_list(page: Page, stack: Stack) -> None:
    log_in(page, stack)
    expect(page.get_by_text("Successfully signed in as admin")).to_be_visible()
    page.goto("/mailman3/lists/new/")
    page.get_by_label("List Name").fill("made-in-browser")
    page.get_by_label("Mail Host").select_option("lists.example.com")
    page.get_by_role("button", name="Create List").click()
    expect(page.get_by_text("List created").first).to_be_visible()
    created = stack.rest.get_list("made-in-browser@lists.example.com")
    assert created.owners[0].email == "admin@example.org"


def test_wrong_password_is_refused(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Login").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign In").click()
    expect(page.get_by_text("not correct", exact=False)).to_be_visible()


def test_archive_index_opens(page: Page) -> None:
    page.goto("/archives/")
    expect(page.get_by_role("heading", name="Available lists")).to_be_visible()
