"""Postorius' pages of a list, and how a person works with them."""

from collections.abc import Mapping

from mailmanclient import MailingList
from playwright.sync_api import Page, expect

Value = str | bool | int | list[str]


def page_of(mailing_list: MailingList, name: str = "") -> str:
    """The path of a list's page."""
    return f"/mailman3/lists/{mailing_list.list_id}/{name}"


def fill_in(page: Page, values: Mapping[str, Value]) -> None:
    """Give values to fields of whatever kind, by their names."""
    for name, value in values.items():
        fields = page.locator(f"[name='{name}']")
        kind = fields.first.evaluate("field => field.type")
        if kind == "radio":
            fields.and_(page.locator(f"[value='{value}']")).check()
        elif kind == "select-one":
            fields.select_option(str(value))
        else:
            fields.fill("\n".join(value) if isinstance(value, list) else str(value))


def press(page: Page, button: str, outcome: str) -> None:
    """Press a button that sends a form, and wait for what the next page says."""
    send(page, button)
    expect(page.get_by_role("alert").filter(has_text=outcome).first).to_be_visible()


def send(page: Page, button: str) -> None:
    """Press a button that sends a form, and wait for the next page, which may look the same."""
    form = page.get_by_role("button", name=button, exact=True)
    form.wait_for()
    with page.expect_navigation():
        form.click()


def follow(page: Page, link: str) -> None:
    """Follow a link to a page that has what this one has, too."""
    with page.expect_navigation():
        page.get_by_role("link", name=link).click()


def walk(page: Page, *below: str) -> list[str]:
    """Open every link of this page that leads below one of these paths, and return them."""
    links = page.locator("a[href]").evaluate_all("links => links.map(link => link.pathname)")
    paths = sorted({path for path in links if path.startswith(below) and "logout" not in path})
    for path in paths:
        page.goto(path)
    return paths
