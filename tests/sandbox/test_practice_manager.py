import re
from datetime import UTC, datetime

import pytest
import requests
from lxml import etree

from xpmsync.sandbox import Practice, Switches

MINUTES = 600


def names(answer: requests.Response, path: str = "Clients/Client/Name") -> list[str]:
    return [each.text or "" for each in etree.fromstring(answer.content).findall(path)]


def find_client(answer: requests.Response, name: str) -> etree._Element:
    return next(each for each in etree.fromstring(answer.content).iter("Client") if each.findtext("Name") == name)


def children(element: etree._Element) -> list[str]:
    return [each.tag for each in element]


def uuid_of(practice: Practice, name: str) -> str:
    return next(client.uuid for client in practice.clients.values() if client.name == name)


def iso(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}"


def rebuild(recorded: bytes) -> Practice:
    """A practice from a recorded client list, so that the wire format can be compared with it."""
    practice = Practice()

    def texts(element: etree._Element) -> dict[str, str | None]:
        return {each.tag: each.text or "" for each in element if not len(each)}

    def keyword(tag: str) -> str:
        return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", tag).lower()

    for client in etree.fromstring(recorded).iter("Client"):
        values = {keyword(tag): text for tag, text in texts(client).items()}
        for left_out in ("id", "is_prospect", "contacts", "notes", "groups", "relationships"):
            values.pop(left_out, None)
        contacts = [
            {"is_deleted": None} | {keyword(tag): text for tag, text in texts(contact).items()}
            for contact in client.iter("Contact")
        ]
        groups = [
            each.findtext("UUID")
            if each.findtext("UUID") in practice.groups
            else practice.add_group(each.findtext("Name"), uuid=each.findtext("UUID"))
            for each in client.iter("Group")
        ]
        tax_block = client.find("TaxNumber") is not None
        practice.add_client(tax_block=tax_block, contacts=contacts, groups=groups, **values)
    return practice


# Lists


def test_a_recorded_client_list_is_given_again_byte_for_byte(serve, new_program, recording):
    recorded = recording("client-list-detailed").body
    sandbox = serve(rebuild(recorded), switches=Switches(uuid_last=True, empty_elements="pair"))
    answer = new_program(sandbox).connect().get("client.api/list?detailed=true")
    assert answer.content == re.sub(rb"<ID>\d+</ID>|<IsProspect>No</IsProspect>", b"", recorded)  # gone since 3.1


def test_the_list_holds_archived_and_deleted_clients_flagged(program):
    answer = program.get("client.api/list")
    assert names(answer) == ["Acmer Pty Ltd", "Bluegum Dairy Ltd", "Closed Ltd", "Deleted Ltd"]
    assert find_client(answer, "Closed Ltd").findtext("IsArchived") == "Yes"
    assert find_client(answer, "Deleted Ltd").findtext("IsDeleted") == "Yes"


def test_details_add_notes_groups_and_relationships_and_nothing_else(program):
    plain = children(find_client(program.get("client.api/list"), "Acmer Pty Ltd"))
    detailed = children(find_client(program.get("client.api/list?detailed=true"), "Acmer Pty Ltd"))
    assert [tag for tag in detailed if tag not in ("Notes", "Groups", "Relationships")] == plain
    assert plain[-1] == "Contacts"
    assert plain[0] == "UUID"


def test_a_page_number_is_ignored(program):
    assert program.get("client.api/list?page=7").content == program.get("client.api/list").content


def test_answers_are_compact_xml_without_a_declaration(program):
    answer = program.get("client.api/list")
    assert answer.content.startswith(b'<Response api-method="List"><Status>OK</Status><Clients><Client><UUID>')
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"


def test_no_clients_and_no_staff_are_empty_lists(serve, new_program):
    program = new_program(serve()).connect()
    expected = b'<Response api-method="List"><Status>OK</Status><%b /></Response>'
    assert program.get("client.api/list").content == expected % b"Clients"
    assert program.get("staff.api/list").content == expected % b"StaffList"
    assert program.get("clientgroup.api/list").content == expected % b"Groups"


def test_one_client_is_detailed_and_has_a_web_address(sandbox, program):
    uuid = uuid_of(sandbox.practice, "Bluegum Dairy Ltd")
    answer = program.get(f"client.api/get/{uuid}")
    root = etree.fromstring(answer.content)
    assert root.get("api-method") == "Get"
    assert re.fullmatch(r"https://practicemanager\.xero\.com/Client/\d+/Detail", root.findtext("WebUrl"))
    listed = find_client(program.get("client.api/list?detailed=true"), "Bluegum Dairy Ltd")
    assert etree.tostring(root.find("Client")) == etree.tostring(listed)


@pytest.mark.parametrize("call", ["client.api/get/nobody", "clientgroup.api/get/nobody"])
def test_an_unknown_record_is_a_200_with_status_error(program, call):
    answer = program.get(call)
    root = etree.fromstring(answer.content)
    assert (answer.status_code, root.findtext("Status")) == (200, "ERROR")
    assert root.findtext("ErrorDescription")


def test_groups_are_listed_without_and_read_with_their_members(program):
    (group,) = etree.fromstring(program.get("clientgroup.api/list").content).iter("Group")
    assert children(group) == ["UUID", "Name", "Taxable"]
    answer = program.get(f"clientgroup.api/get/{group.findtext('UUID')}")
    assert names(answer, "Group/Clients/Client/Name") == ["Acmer Pty Ltd"]


# The paged list


def test_the_paged_list_leaves_out_archived_and_deleted_clients_contacts_and_details(program):
    answer = program.get("client.api/paged-list")
    assert names(answer) == ["Acmer Pty Ltd", "Bluegum Dairy Ltd"]
    tags = children(find_client(answer, "Bluegum Dairy Ltd"))
    assert not {"Contacts", "Notes", "Groups", "Relationships", "BusinessNumber"} & set(tags)


def test_pages_follow_each_other_to_the_end_while_clients_come_and_go(serve, new_program):
    practice = Practice.generate(90, 4)
    program = new_program(serve(practice)).connect()
    expected = [client.uuid for client in practice.clients.values() if not client.archived and not client.deleted]
    found, url = [], "client.api/paged-list?pageSize=20"
    while url:
        root = etree.fromstring(program.get(url).content)
        assert root.findtext("Pagination/Links/First").endswith("paged-list?pageSize=20")
        found += [each.text for each in root.findall("Clients/Client/UUID")]
        if len(found) == 20:
            practice.vanish_client(found[-1])  # a token that names a client who is gone still works
        url = root.findtext("Pagination/Links/Next")
    assert found == expected


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=501", "pageSize=x", "pageSize=²", "pageToken=!"])
def test_a_wrong_page_is_a_status_error(program, query):
    assert b"<Status>ERROR</Status>" in program.get(f"client.api/paged-list?{query}").content


@pytest.mark.parametrize(("value", "expected"), [("absent", None), ("empty", "")])
def test_the_last_pages_next_is_absent_or_empty(serve, new_program, practice, value, expected):
    program = new_program(serve(practice, switches=Switches(paged_list_last_next=value))).connect()
    root = etree.fromstring(program.get("client.api/paged-list").content)
    assert root.findtext("Pagination/Links/Next") == expected


def test_the_paged_list_can_have_business_numbers(serve, new_program, practice):
    program = new_program(serve(practice, switches=Switches(paged_list_business_number=True))).connect()
    client = find_client(program.get("client.api/paged-list"), "Acmer Pty Ltd")
    assert client.findtext("BusinessNumber") == "51 824 753 556"


# Elements


def test_an_element_is_a_text_empty_or_absent_as_the_practice_says(sandbox, program):
    sandbox.practice.add_client("Forms", email="", phone=None, fax="1 & <2>\r\nline", address="Suite 4\n   Quay Street")
    client = find_client(program.get("client.api/list"), "Forms")
    assert client.find("Email").text is None
    assert client.find("Phone") is None
    assert client.findtext("Fax") == "1 & <2>\r\nline"
    assert client.findtext("Address") == "Suite 4\n   Quay Street"


def test_lists_within_a_client_can_be_absent_or_empty(sandbox, program):
    sandbox.practice.add_client("Told", contacts=[], groups=[])
    sandbox.practice.add_client("Untold", contacts=None, groups=None)
    answer = program.get("client.api/list?detailed=true")
    assert b"<Contacts /><Notes /><Groups /><Relationships />" in etree.tostring(find_client(answer, "Told")).replace(
        b"/>",
        b" />",
    )
    assert not {"Contacts", "Groups"} & set(children(find_client(answer, "Untold")))


def test_a_tax_number_shows_its_last_three_characters(sandbox, program):
    sandbox.practice.add_client("Taxed", tax_number="123456789")
    answer = program.get("client.api/list")
    assert find_client(answer, "Taxed").findtext("TaxNumber") == "******789"
    assert b"123456789" not in answer.content


def test_extra_xml_appears_as_it_is(sandbox, program):
    sandbox.practice.add_client("Extra", extra="<Pronouns><Used>they</Used></Pronouns>")
    assert find_client(program.get("client.api/list"), "Extra").findtext("Pronouns/Used") == "they"


def test_a_partner_may_be_someone_the_practice_does_not_know(sandbox, program):
    sandbox.practice.add_client("Orphan", account_manager=("0b1d2c3e-0000-4000-8000-000000000001", "Gone Person"))
    assert find_client(program.get("client.api/list"), "Orphan").findtext("AccountManager/Name") == "Gone Person"


@pytest.mark.parametrize(
    "values",
    [
        {"nmae": "x"},
        {"email": 7},
        {"account_manager": "nobody"},
        {"account_manager": 7},
        {"groups": "Family"},
        {"groups": ["0b1d2c3e-0000-4000-8000-000000000001"]},
        {"contacts": ["Jo"]},
        {"contacts": [{"nmae": "Jo"}]},
        {"type": "x"},
    ],
)
def test_wrong_values_are_refused_and_leave_no_client(values):
    practice = Practice()
    with pytest.raises((ValueError, TypeError)):
        practice.add_client("Wrong", **values)
    assert not practice.clients


@pytest.mark.parametrize("value", ["pair", "self-closing", "mixed"])
def test_empty_elements_have_either_form_or_both(serve, new_program, value):
    program = new_program(serve(Practice.generate(60), switches=Switches(empty_elements=value))).connect()
    content = program.get("client.api/list?detailed=true").content
    found = set(re.findall(rb"<Fax></Fax>|<Fax />", content))
    forms = {"pair": {b"<Fax></Fax>"}, "self-closing": {b"<Fax />"}, "mixed": {b"<Fax></Fax>", b"<Fax />"}}
    assert found == forms[value]


def test_the_uuid_can_stand_last(serve, new_program, practice):
    program = new_program(serve(practice, switches=Switches(uuid_last=True))).connect()
    assert children(find_client(program.get("client.api/list"), "Acmer Pty Ltd"))[-1] == "UUID"


def test_answers_can_have_a_declaration_and_line_breaks(serve, new_program, practice):
    sandbox = serve(practice)
    program = new_program(sandbox).connect()
    for call in ("client.api/list", "client.api/paged-list", "client.api/get/nobody"):
        sandbox.set_switches(xml_declaration=False, xml_line_breaks=False)
        plain = program.get(call).content
        sandbox.set_switches(xml_declaration=True, xml_line_breaks=True)
        broken = re.sub(rb"</\w+>|/>", rb"\g<0>\n", plain)
        assert program.get(call).content == b'<?xml version="1.0" encoding="utf-8"?>' + broken


# Staff


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({}, ["Ada Reid", "Ben Ngata"]),
        ({"disabled_staff_listed": False}, ["Ada Reid"]),
        ({"deleted_staff_listed": True}, ["Ada Reid", "Ben Ngata", "Reception"]),
    ],
)
def test_disabled_and_deleted_staff_are_listed_as_the_switches_say(serve, new_program, practice, switches, expected):
    by_name = {staff.name: staff.uuid for staff in practice.staff.values()}
    practice.disable_staff(by_name["Ben Ngata"])
    practice.delete_staff(by_name["Reception"])
    program = new_program(serve(practice, switches=Switches(**switches))).connect()
    assert names(program.get("staff.api/list"), "StaffList/Staff/Name") == expected
    practice.enable_staff(by_name["Ben Ngata"])
    assert "Ben Ngata" in names(program.get("staff.api/list"), "StaffList/Staff/Name")


def test_staff_who_are_typed_in_again_have_a_new_uuid_and_clients_name_the_old_one(sandbox, program):
    practice = sandbox.practice
    old = next(iter(practice.staff))
    new = practice.recreate_staff(old)
    listed = names(program.get("staff.api/list"), "StaffList/Staff/UUID")
    assert new in listed
    assert old not in listed
    assert find_client(program.get("client.api/list"), "Acmer Pty Ltd").findtext("AccountManager/UUID") == old


def test_a_new_staff_name_shows_at_once_on_the_clients(sandbox, program):
    program.get("client.api/list")
    sandbox.practice.edit_staff(next(iter(sandbox.practice.staff)), name="Ada Reid-Ngata")
    assert b"<Name>Ada Reid-Ngata</Name></AccountManager>" in program.get("client.api/list").content


def test_a_new_group_name_shows_at_once_on_the_clients(sandbox, program):
    program.get("client.api/list?detailed=true")
    sandbox.practice.rename_group(next(iter(sandbox.practice.groups)), "Renamed")
    assert b"<Groups><Group><UUID>" in (content := program.get("client.api/list?detailed=true").content)
    assert b"<Name>Renamed</Name></Group>" in content


# Changes, and which of them Xero reports


def test_a_client_who_is_typed_in_again_has_a_new_uuid(sandbox):
    practice = sandbox.practice
    for former, flag in (("deleted", "IsDeleted"), ("archived", "IsArchived"), ("kept", None), ("vanished", None)):
        old = practice.add_client("Again", client_code="A1", contacts=[{"name": "Jo"}])
        new = practice.recreate_client(old, former=former)
        fresh = practice.client(new)
        assert (fresh.elements["ClientCode"], fresh.archived, fresh.deleted) == ("A1", False, False)
        assert (
            fresh.elements["Contacts"] != practice.clients.get(old, fresh).elements["Contacts"] or former == "vanished"
        )
        assert (old in practice.clients) is (former != "vanished")
        if flag:
            assert practice.client(old).elements[flag] == "Yes"
        practice.vanish_client(new)
    with pytest.raises(ValueError, match="former"):
        practice.recreate_client(next(iter(practice.clients)), former="lost")


def test_a_merge_leaves_an_archived_client_and_nothing_else(sandbox, program):
    practice = sandbox.practice
    duplicate, kept = uuid_of(practice, "Acmer Pty Ltd"), uuid_of(practice, "Bluegum Dairy Ltd")
    before = find_client(program.get("client.api/list?detailed=true"), "Bluegum Dairy Ltd")
    practice.merge_clients(duplicate, kept)
    after = program.get("client.api/list?detailed=true")
    assert find_client(after, "Acmer Pty Ltd").findtext("IsArchived") == "Yes"
    assert etree.tostring(find_client(after, "Bluegum Dairy Ltd")) == etree.tostring(before)


def test_a_restored_client_is_neither_archived_nor_deleted(sandbox):
    practice = sandbox.practice
    uuid = uuid_of(practice, "Deleted Ltd")
    practice.archive_client(uuid)
    practice.restore_client(uuid)
    assert (practice.client(uuid).archived, practice.client(uuid).deleted) == (False, False)


def change_client(practice, uuid):
    practice.edit_client(uuid, phone="5550 1234")


def change_contact(practice, uuid):
    practice.edit_client(uuid, contacts=[{"name": "New"}])


def join_group(practice, uuid):
    practice.edit_client(uuid, groups=["Another Group"])


def rename_group(practice, uuid):
    practice.rename_group(practice.client(uuid).elements["Groups"][0]["UUID"], "Renamed")


def rename_partner(practice, uuid):
    practice.edit_staff(practice.client(uuid).elements["AccountManager"]["UUID"], name="Renamed")


def change_custom_field(practice, uuid):
    practice.edit_client(uuid, extra="<Field>1</Field>")


def archive(practice, uuid):
    practice.archive_client(uuid)


def delete(practice, uuid):
    practice.delete_client(uuid)


@pytest.mark.parametrize(
    ("change", "switch"),
    [
        (change_client, None),
        (change_contact, "contact_touches_client"),
        (join_group, "group_membership_touches_client"),
        (rename_group, "group_rename_touches_client"),
        (rename_partner, "staff_name_touches_client"),
        (change_custom_field, "custom_field_touches_client"),
        (archive, "modifiedsince_archived"),
        (delete, "modifiedsince_deleted"),
    ],
)
def test_a_change_is_reported_as_a_modification_as_the_switches_say(sandbox, program, change, switch):
    uuid = uuid_of(sandbox.practice, "Acmer Pty Ltd")
    sandbox.clock.advance(MINUTES)
    since = iso(sandbox.clock.now() - 60)
    call = f"client.api/list?modifiedsince={since}"
    assert names(program.get(call)) == []
    change(sandbox.practice, uuid)
    if switch:
        assert names(program.get(call)) == []
        sandbox.set_switches(**{switch: True})
    assert names(program.get(call)) == ["Acmer Pty Ltd"]


@pytest.mark.parametrize(("inclusive", "expected"), [(True, ["Now Ltd"]), (False, [])])
def test_the_second_of_modifiedsince_itself_counts_or_not(sandbox, program, inclusive, expected):
    sandbox.set_switches(modifiedsince_inclusive=inclusive)
    sandbox.clock.advance(MINUTES)
    uuid = sandbox.practice.add_client("Now Ltd")
    changed_at = sandbox.practice.client(uuid).edited_at
    assert names(program.get(f"client.api/list?modifiedsince={iso(changed_at)}")) == expected
    assert names(program.get(f"client.api/list?modifiedsince={iso(changed_at - 1)}")) == ["Now Ltd"]


def test_a_malformed_modifiedsince_is_a_status_error(program):
    assert b"<Status>ERROR</Status>" in program.get("client.api/list?modifiedsince=yesterday").content
