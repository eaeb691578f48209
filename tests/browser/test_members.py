"""What members, and those who want to be or no more, do on the web."""

from collections.abc import Callable, Mapping

import pytest
from mailmanclient import MailingList
from playwright.sync_api import Page, expect

from tests.browser.accounts import Account, sign_up
from tests.browser.pages import Value, fill_in, follow, page_of, press
from tests.support import wait
from tests.support.lists import members, subscribe
from tests.support.mail import message
from tests.support.stack import Stack

PREFERENCES: Mapping[str, Value] = {
    "delivery_status": "by_user",
    "delivery_mode": "plaintext_digests",
    "receive_own_postings": False,
    "acknowledge_posts": True,
    "hide_address": True,
    "receive_list_copy": False,
    "preferred_language": "fr",
}
"""Everything that a member decides, none of it as it is without a decision."""


def set_policy(mailing_list: MailingList, **settings: str) -> None:
    mailing_list.settings.update(settings)
    mailing_list.settings.save()


def test_a_member_joins_with_options_and_leaves(
    member: Page, member_account: Account, mailing_list: MailingList
) -> None:
    member.goto(page_of(mailing_list))
    fill_in(member, {"delivery_mode": "mime_digests", "delivery_status": "by_user"})
    press(member, "Subscribe", "You are subscribed to")
    subscription = mailing_list.get_member(member_account.address)
    assert subscription.preferences["delivery_mode"] == "mime_digests"
    assert subscription.preferences["delivery_status"] == "by_user"

    press(member, "Unsubscribe", "has been unsubscribed")
    assert members(mailing_list) == []


def test_a_member_decides_on_a_subscription(
    member: Page, member_account: Account, mailing_list: MailingList
) -> None:
    subscribe(mailing_list, member_account.address)
    member.goto(page_of(mailing_list))
    member.get_by_role("link", name="Manage Subscription").click()
    fill_in(member, PREFERENCES)
    press(member, "Save changes", "Your preferences have been updated")
    kept = mailing_list.get_member(member_account.address).preferences
    assert {name: kept[name] for name in PREFERENCES} == PREFERENCES


def test_a_subscription_moves_to_the_primary_address(
    member: Page, member_account: Account, stack: Stack, mailing_list: MailingList
) -> None:
    subscribe(mailing_list, member_account.address)
    member.goto(page_of(mailing_list))
    member.get_by_role("link", name="Manage Subscription").click()
    member.get_by_label("Select Email").select_option(f"Primary Address ({member_account.address})")
    press(member, "Change email used for subscription", "Subscription changed to Primary Address")
    moved = mailing_list.get_member(member_account.address)
    assert moved.subscription_mode == "as_user"
    assert moved.user.user_id == stack.rest.get_user(member_account.address).user_id


def test_preferences_are_set_for_all_lists_for_an_address_and_for_each_list(
    page: Page, stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = sign_up(page, stack, address("anne")).address
    subscribe(mailing_list, anne)
    page.goto("/mailman3/accounts/mailmansettings/")
    fill_in(page, PREFERENCES)
    press(page, "Save changes", "Your preferences have been updated")
    kept = stack.rest.get_user(anne).preferences
    assert {name: kept[name] for name in PREFERENCES} == PREFERENCES

    chosen = {f"form-0-{name}": value for name, value in PREFERENCES.items()}
    follow(page, "Address-based preferences")
    fill_in(page, chosen)
    press(page, "Save", "Your preferences have been updated")
    kept = stack.rest.get_address(anne).preferences
    assert {name: kept[name] for name in PREFERENCES} == PREFERENCES

    follow(page, "List-based preferences")
    fill_in(page, chosen)
    press(page, "Save", "Your preferences have been updated")
    kept = mailing_list.get_member(anne).preferences
    assert {name: kept[name] for name in PREFERENCES} == PREFERENCES


def test_joining_waits_for_a_moderator_where_the_list_says_so(
    member: Page, member_account: Account, mailing_list: MailingList
) -> None:
    set_policy(mailing_list, subscription_policy="moderate")
    member.goto(page_of(mailing_list))
    press(member, "Subscribe", "waiting for moderator approval")
    expect(member.get_by_text("You have a subscription request pending")).to_be_visible()
    assert [request["email"] for request in mailing_list.requests] == [member_account.address]
    assert members(mailing_list) == []


def test_leaving_waits_for_a_moderator_where_the_list_says_so(
    member: Page, admin: Page, member_account: Account, mailing_list: MailingList
) -> None:
    set_policy(mailing_list, unsubscription_policy="moderate")
    subscribe(mailing_list, member_account.address)
    member.goto(page_of(mailing_list))
    press(member, "Unsubscribe", "waiting for moderator approval")
    assert members(mailing_list) == [member_account.address]

    admin.goto(page_of(mailing_list, "unsubscription_requests"))
    press(admin, "Accept", "The request has been accepted")
    assert members(mailing_list) == []


def ask_to_join_without_an_account(
    page: Page, stack: Stack, mailing_list: MailingList, address: str
) -> str:
    """Fill in the form for strangers, and return the address that the question comes from."""
    page.goto(page_of(mailing_list))
    page.get_by_label("Your email address").fill(address)
    page.get_by_label("Your name (optional)").fill("Änne")
    press(page, "Subscribe", "Please check your inbox")
    question = stack.catcher.wait_to(address).message
    assert members(mailing_list) == []
    return str(question["From"])


def test_a_stranger_joins_without_an_account_by_answering_a_mail(
    page: Page, stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = address("anne")
    sender = ask_to_join_without_an_account(page, stack, mailing_list, anne)
    stack.post(message(anne, sender, "Re: confirm", ""))
    wait.until("Anne is a member", lambda: members(mailing_list) == [anne])
    assert mailing_list.get_member(anne).display_name == "Änne"


def test_a_stranger_joins_without_an_account_by_confirming_on_the_web(
    page: Page, stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = address("anne")
    sender = ask_to_join_without_an_account(page, stack, mailing_list, anne)
    token = sender.partition("-confirm+")[2].partition("@")[0]
    page.goto(page_of(mailing_list, f"confirm/?token={token}"))
    expect(page.get_by_role("heading", name="Confirm subscription")).to_contain_text(anne)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Subscription")).to_be_visible()
    assert members(mailing_list) == [anne]


ROSTER = {
    "public": {"somebody": 200, "a member": 200, "a moderator": 200},
    "members": {"somebody": 403, "a member": 200, "a moderator": 200},
    "moderators": {"somebody": 403, "a member": 403, "a moderator": 200},
}
"""Who is shown the members, by the setting of the list."""


@pytest.mark.parametrize("visibility", ROSTER)
def test_the_members_are_shown_to_those_who_may_see_them(
    member: Page,
    member_account: Account,
    mailing_list: MailingList,
    refusals: set[str],
    visibility: str,
) -> None:
    set_policy(mailing_list, member_roster_visibility=visibility)
    roster = page_of(mailing_list, "members/member/")
    refusals.add(f"http://www.example.com{roster}")

    def answer() -> int:
        response = member.goto(roster)
        assert response
        return response.status

    seen = {"somebody": answer()}
    subscribe(mailing_list, member_account.address)
    seen["a member"] = answer()
    mailing_list.add_moderator(member_account.address)
    seen["a moderator"] = answer()
    assert seen == ROSTER[visibility]


def test_the_members_are_not_shown_to_strangers(
    page: Page, mailing_list: MailingList, refusals: set[str]
) -> None:
    set_policy(mailing_list, member_roster_visibility="public")
    roster = page_of(mailing_list, "members/member/")
    refusals.add(f"http://www.example.com{roster}")
    response = page.goto(roster)
    assert response
    assert response.status == 403


def test_a_member_who_hides_is_masked_for_the_others(
    member: Page,
    member_account: Account,
    mailing_list: MailingList,
    address: Callable[[str], str],
) -> None:
    set_policy(mailing_list, member_roster_visibility="members")
    subscribe(mailing_list, member_account.address, address("anne"), address("bart"))
    preferences = mailing_list.get_member(address("anne")).preferences
    preferences["hide_address"] = True
    preferences.save()
    member.goto(page_of(mailing_list, "members/member/"))
    expect(member.get_by_text(address("bart"))).to_be_visible()
    expect(member.get_by_text("Masked per the user request")).to_be_visible()
    expect(member.get_by_text(address("anne"))).to_have_count(0)


def test_a_list_that_is_not_advertised_is_not_in_the_index(
    page: Page, mailing_list: MailingList
) -> None:
    link = page.get_by_role("cell", name=mailing_list.fqdn_listname)
    page.goto("/mailman3/lists/?count=200")
    expect(link).to_be_visible()
    set_policy(mailing_list, advertised="False")
    page.reload()
    expect(page.get_by_text("List name")).to_be_visible()
    expect(link).to_have_count(0)
