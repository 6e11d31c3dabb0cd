import re
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xpmsync.sandbox import Practice, Switches
from xpmsync.sandbox.api import answer_call
from xpmsync.sandbox.generate import abn_of, nzbn_of

STAFF_FOR_EVERY_TROUBLE = 22


def render(practice: Practice, call: str = "client.api/list") -> bytes:
    return answer_call(practice, Switches(), call, {"detailed": "true"}, "").content()


def clients(practice: Practice) -> list[etree._Element]:
    return list(etree.fromstring(render(practice)).iter("Client"))


@pytest.fixture(scope="module")
def small() -> list[etree._Element]:
    return clients(Practice.generate(60, STAFF_FOR_EVERY_TROUBLE))


@pytest.fixture(scope="module")
def large() -> Practice:
    return Practice.generate(3000, 40)


def texts(found: list[etree._Element], tag: str) -> list[str]:
    return [client.findtext(tag) for client in found if client.findtext(tag)]


def is_abn(text: str) -> bool:
    if not re.fullmatch(r"(\s*\d){11}", text):
        return False
    digits = [int(digit) for digit in re.sub(r"\s", "", text)]
    weights = (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
    return sum(d * w for d, w in zip([digits[0] - 1, *digits[1:]], weights, strict=True)) % 89 == 0


# Repeatable, quick, of any size


@pytest.mark.parametrize("call", ["client.api/list", "staff.api/list", "clientgroup.api/list"])
def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(call):
    first, again, other = (render(Practice.generate(80, 12, seed), call) for seed in (7, 7, 8))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("count", "staff"), [(0, 0), (1, 0), (0, 1), (5, 2), (61, 3), (150, 60)])
def test_a_practice_has_the_size_asked_for(count, staff):
    practice = Practice.generate(count, staff)
    assert (len(practice.clients), len(practice.staff)) == (count, staff)
    etree.fromstring(render(practice))


@pytest.mark.parametrize("size", [{"clients": -1}, {"staff": -1}])
def test_a_size_below_nothing_is_refused(size):
    with pytest.raises(ValueError, match="no fewer than 0"):
        Practice.generate(**size)


def test_a_thousand_clients_are_made_and_rendered_in_well_under_a_second():
    started = time.process_time()
    render(Practice.generate(1000, 20))
    assert time.process_time() - started < 1


def test_a_list_is_rendered_once_and_a_change_renders_one_client_again(large):
    before = render(large)
    uuid = next(iter(large.clients))
    kept = [client.rendered for client in large.clients.values()]
    large.edit_client(uuid, phone="5550 9999")
    after = render(large)
    changed = [new.rendered is not old for new, old in zip(large.clients.values(), kept, strict=True)]
    assert changed.count(True) == 1
    assert before != after


def test_a_client_has_about_three_kilobytes(large):
    assert 2900 < len(render(large)) / 3000 < 3700


# Nobody is real


def test_every_email_address_is_in_an_example_domain_and_every_phone_number_is_kept_for_fiction(large):
    content = render(large).decode() + render(large, "staff.api/list").decode()
    addresses = re.findall(r"[\w.]+@([\w.]+)", content)
    assert len(addresses) > 5000
    assert all(re.fullmatch(r"example\.(com|org|com\.au|net\.au|co\.nz|net\.nz)", each.lower()) for each in addresses)
    phones = re.findall(r"<(?:Phone|Mobile|Fax)>([^<]+)<", content)
    fiction = r"\(0[2378]\) (5550|7010) \d{4}|(0|\+61 )491 57\d \d{3}|5550 9999|call the farm, ask for Kev"
    assert [each for each in phones if not re.fullmatch(fiction, each)] == []


@given(st.text("0123456789", min_size=9, max_size=9))
def test_an_abn_passes_its_checksum(digits):
    assert is_abn(abn_of(digits))


def test_business_numbers_are_those_of_the_registers_rules():
    assert abn_of("824753556") == "51824753556"  # the Australian Taxation Office's own
    assert nzbn_of("942900000001") == "9429000000017"


# Everything that hurts


def duplicates(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def primaries(client: etree._Element) -> list[str]:
    return [
        "deleted" if contact.findtext("IsDeleted") == "Yes" else "live"
        for contact in client.findall("Contacts/Contact")
        if contact.findtext("IsPrimary") == "Yes"
    ]


def partner(client: etree._Element) -> str | None:
    return client.findtext("AccountManager/UUID")


CLIENT_TROUBLES = {
    "two have one name": lambda found: duplicates(texts(found, "Name")),
    "two have one code": lambda found: duplicates(texts(found, "ClientCode")),
    "two codes differ in case alone": lambda found: (
        len({c.lower() for c in texts(found, "ClientCode")}) < len(set(texts(found, "ClientCode")))
    ),
    "one was typed in again": lambda found: (
        set(duplicates(texts(found, "ClientCode")))
        & set(texts([each for each in found if each.findtext("IsArchived") == "Yes"], "ClientCode"))
    ),
    "no partner": lambda found: [each for each in found if partner(each) is None],
    "no e-mail element": lambda found: [each for each in found if each.find("Email") is None],
    "an empty e-mail": lambda found: [each for each in found if each.findtext("Email") == ""],
    "an odd e-mail": lambda found: "post only" in texts(found, "Email"),
    "two e-mails in one": lambda found: [each for each in texts(found, "Email") if ";" in each],
    "archived": lambda found: "Yes" in texts(found, "IsArchived"),
    "deleted": lambda found: "Yes" in texts(found, "IsDeleted"),
    "several groups": lambda found: [each for each in found if len(each.findall("Groups/Group")) > 1],
    "groups not told": lambda found: [each for each in found if each.find("Groups") is None],
    "contacts not told": lambda found: [each for each in found if each.find("Contacts") is None],
    "no contact": lambda found: [
        each for each in found if each.find("Contacts") is not None and len(each.find("Contacts")) == 0
    ],
    "no primary": lambda found: [each for each in found if each.findall("Contacts/Contact") and not primaries(each)],
    "one primary": lambda found: [each for each in found if primaries(each) == ["live"]],
    "two primaries": lambda found: [each for each in found if primaries(each) == ["live", "live"]],
    "a deleted primary": lambda found: [each for each in found if primaries(each) == ["deleted"]],
    "a deleted and a live primary": lambda found: [each for each in found if primaries(each) == ["deleted", "live"]],
    "no tax block": lambda found: [each for each in found if each.find("TaxNumber") is None],
    "unknown elements": lambda found: [each for each in found if each.find("CustomerPortal/Name") is not None],
    "first and last name alone": lambda found: [
        e for e in found if e.findtext("Name") == "" and e.findtext("LastName")
    ],
    "no name at all": lambda found: [e for e in found if e.findtext("Name") == "" and not e.findtext("LastName")],
    "an ampersand": lambda found: [each for each in texts(found, "Name") if "&" in each],
    "a macron": lambda found: [each for each in texts(found, "Name") if "ā" in each],
    "an emoji": lambda found: [each for each in texts(found, "Name") if "🏄" in each],
    "a line break in a name": lambda found: [each for each in texts(found, "Name") if "\r\n" in each],
    "a formula": lambda found: [each for each in texts(found, "Name") if each.startswith("=")],
    "an ABN with a wrong checksum": lambda found: "51 824 753 557" in texts(found, "BusinessNumber"),
    "an ABN that is none": lambda found: "applied for" in texts(found, "BusinessNumber"),
    "a free structure": lambda found: "Incorporated association (NFP)" in texts(found, "BusinessStructure"),
    "no code": lambda found: [each for each in found if not each.findtext("ClientCode")],
    "both dates of birth": lambda found: {"T" in each for each in texts(found, "DateOfBirth")} == {True, False},
    "a relationship": lambda found: [each for each in found if each.find("Relationships/Relationship") is not None],
}


@pytest.mark.parametrize("trouble", CLIENT_TROUBLES)
def test_sixty_clients_have_every_trouble(small, trouble):
    assert CLIENT_TROUBLES[trouble](small)


def test_sixty_clients_have_addresses_of_none_to_five_indented_lines(small):
    addresses = [client.findtext("Address") for client in small]
    counts = {len([line for line in (address or "").split("\n") if line.strip()]) for address in addresses}
    assert counts >= {0, 1, 2, 3, 4, 5}
    assert any("\n   " in (address or "") for address in addresses)


def test_sixty_clients_name_partners_and_managers_who_are_not_listed_or_have_no_email():
    practice = Practice.generate(60)
    people = {staff.uuid: staff.elements.get("Email") for staff in practice.staff.values()}
    found = clients(practice)
    named = {partner(client) for client in found} - {None}
    managers = {client.findtext("JobManager/UUID") for client in found} - {None}
    assert named - people.keys()
    assert managers - people.keys()
    assert [uuid for uuid in named if people.get(uuid, "x") == ""]


def test_staff_have_what_hurts_about_staff():
    staff = list(Practice.generate(0, STAFF_FOR_EVERY_TROUBLE).staff.values())
    addresses = [str(each.elements.get("Email", "")).lower().strip() for each in staff]
    assert {"Reception", "Xero Support", ""} <= {each.name for each in staff}
    assert duplicates([each for each in addresses if each])
    assert duplicates([each.name for each in staff])
    assert "no email yet" in addresses
    assert "" in [each.elements.get("Email") for each in staff]
    assert any("Email" not in each.elements for each in staff)
    assert [each.disabled for each in staff].count(True) == [each.deleted for each in staff].count(True) == 1


def test_most_of_a_large_practice_is_in_order(large):
    found = clients(large)
    people = {staff.uuid: staff for staff in large.staff.values()}
    codes = set(duplicates([code.lower() for code in texts(found, "ClientCode")]))

    def in_order(client: etree._Element) -> bool:
        staff = people.get(partner(client))
        named = client.findtext("Name") or client.findtext("LastName")
        email = client.findtext("Email") or ""
        number = client.findtext("BusinessNumber") or ""
        return bool(
            staff
            and "@" in str(staff.elements.get("Email", ""))
            and named
            and (client.findtext("ClientCode") or "").lower() not in codes
            and (not email or re.fullmatch(r"[\w.]+@[\w.]+", email))
            and (not number or len(number) == 13 or is_abn(number)),
        )

    assert sum(map(in_order, found)) / len(found) > 0.95
