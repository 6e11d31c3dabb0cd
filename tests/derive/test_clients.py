"""What becomes of the clients: partner, manager, matching, status, re-creation, and what is never touched."""

import pytest

ANN = {"UUID": "s1", "Name": "Ann Lee"}
BOB = {"UUID": "s2", "Name": "Bob Ray"}
STRANGER = {"UUID": "s9", "Name": "Sid Ray"}
ABN = "51824753556"
OTHER_ABN = "53004085616"


def client(uuid="c1", name="Ngata Ltd", /, **elements):
    return {"UUID": uuid, "Name": name, "AccountManager": ANN} | elements


def without_partner(uuid="c1", name="Ngata Ltd", /, **elements):
    return {"UUID": uuid, "Name": name} | elements


def row(uuid="c1", name="Ngata Ltd", /, **values):
    linked = {"xpm_client_uuid": uuid} if uuid else {}
    usual = {"legal_name": name, "partner": "ann@firm.example", "office_code": "MAIN", "status": "active"}
    return usual | linked | values


def add_client(firm, **values):
    """A client set up by hand, Bob's."""
    if not firm.users():
        firm.sync()
    usual = {
        "id": "by-hand",
        "legal_name": "Ngata",
        "office_code": "MAIN",
        "partner_id": firm.user_id("bob@firm.example"),
    }
    values = usual | values
    columns = ", ".join(values)
    firm.execute(f"INSERT INTO clients ({columns}) VALUES ({', '.join('?' * len(values))})", *values.values())


def set_default_partner(firm, email):
    firm.execute("UPDATE offices SET default_partner_id = (SELECT id FROM users WHERE email = ?)", email)


def move_to_west(firm, default_partner=None):
    """The administrator gives all clients to a second office, whose default partner is the one with this address."""
    partner_id = default_partner and firm.user_id(default_partner)
    firm.execute("INSERT INTO offices VALUES ('WEST', 'West', ?)", partner_id)
    firm.execute("UPDATE clients SET office_code = 'WEST'")


# What hours after each other come to: what XPM tells in each, the clients that Active then has, and what is open.

HEMI = {"Contact": {"Salutation": "Hēmi", "IsPrimary": "Yes"}}
HOURS = {
    "the manager is found as the partner is": ([[client(JobManager=BOB)]], [row(manager="bob@firm.example")], []),
    "a manager taken away in XPM is cleared": ([[client(JobManager=BOB)], [client()]], [row()], []),
    "a code that a sync wrote and XPM drops is cleared and free for another": (
        [[client("c1", ClientCode="A")], [client("c1"), client("c2", ClientCode="A")]],
        [row("c1"), row("c2", code="A")],
        [],
    ),
    "a linked client gets the code of an archived one, which has none then": (
        [
            [client("c1", ClientCode="A"), client("c2", ClientCode="B")],
            [client("c1", ClientCode="A", IsArchived="Yes"), client("c2", ClientCode="A")],
        ],
        [row("c1", status="archived"), row("c2", code="A")],
        [],
    ),
    "an archived client gets its code back as soon as it is free": (
        [
            [client("c1", ClientCode="A"), client("c2", ClientCode="B")],
            [client("c1", ClientCode="A", IsArchived="Yes"), client("c2", ClientCode="A")],
            [client("c1", ClientCode="A", IsArchived="Yes"), client("c2", ClientCode="B")],
        ],
        [row("c1", code="A", status="archived"), row("c2", code="B")],
        [],
    ),
    "the code of an archived client that is given another one in XPM is free for a new client": (
        [
            [client("c1", ClientCode="A")],
            [client("c1", ClientCode="A-OLD", IsArchived="Yes"), client("c2", "Kōwhai Ltd", ClientCode="A")],
        ],
        [row("c1", code="A-OLD", status="archived"), row("c2", "Kōwhai Ltd", code="A")],
        [],
    ),
    "a deleted client that was given another code is another client, though the name is the same": (
        [
            [client("c1", ClientCode="A")],
            [client("c1", ClientCode="A-OLD", IsDeleted="Yes"), client("c2", ClientCode="A")],
        ],
        [row("c1", code="A-OLD", status="deleted"), row("c2", code="A")],
        [],
    ),
    "a client re-created with a new code takes over the one that was archived with this code in the same hour": (
        [
            [client("c1", ClientCode="A")],
            [client("c1", ClientCode="B", IsArchived="Yes"), client("c2", ClientCode="B")],
        ],
        [row("c2", code="B")],
        [],
    ),
    "a client that two archived ones may be is an error": (
        [
            [client("c1", ClientCode="A"), client("c2", ClientCode="B")],
            [
                client("c1", ClientCode="A", IsArchived="Yes"),
                client("c2", ClientCode="A", IsArchived="Yes"),
                client("c3", ClientCode="A"),
            ],
        ],
        [row("c1", code="A", status="archived"), row("c2", status="archived")],
        [("code-held-by-former-client", "c3")],
    ),
    "of two archived clients with one code the one that has it keeps it": (
        [
            [client("c1", ClientCode="A"), client("c2", ClientCode="B")],
            [client("c1", ClientCode="B", IsArchived="Yes"), client("c2", ClientCode="B", IsDeleted="Yes")],
        ],
        [row("c1", status="archived"), row("c2", code="B", status="deleted")],
        [],
    ),
    "an archived client does not get a code that a client in error holds": (
        [
            [client("c1", ClientCode="A"), client("c2", ClientCode="B")],
            [
                client("c1", ClientCode="B", IsArchived="Yes"),
                client("c2", ClientCode="B", AccountManager=STRANGER),
            ],
        ],
        [row("c1", status="archived"), row("c2", code="B")],
        [("partner-not-listed", "c2")],
    ),
    "a client that is gone keeps its code": (
        [[client("c1", ClientCode="A")], [client("c2", "Kōwhai Ltd", ClientCode="A")]],
        [row("c1", code="A", status="removed")],
        [("code-held-by-former-client", "c2")],
    ),
    "a former client that comes back after its record was taken over is a duplicate": (
        [
            *([client("c1", ClientCode="A")], [client("c2", ClientCode="A")]),
            [client("c1", ClientCode="A"), client("c2", ClientCode="A")],
        ],
        [row("c2", code="A")],
        [("client-code-shared", "c1")],
    ),
    "contacts that are not told keep the salutation": (
        [[client(Contacts=[HEMI])], [client()]],
        [row(individual_salutation="Hēmi")],
        [],
    ),
    "an empty list of contacts clears the salutation": (
        [[client(Contacts=[HEMI])], [client()], [client(Contacts=[])]],
        [row()],
        [],
    ),
}


@pytest.mark.parametrize(("hours", "clients", "issues"), HOURS.values(), ids=HOURS)
def test_hour_after_hour_active_follows_xpm(firm, hours, clients, issues):
    for told in hours:
        firm.sync(told)
    assert firm.clients() == clients
    assert firm.issues() == issues


# How many.


def test_every_client_is_counted_once_whether_it_competes_for_a_code_or_not(firm):
    first = firm.sync([client("c1", ClientCode="A"), client("c2", ClientCode="B"), client("c3"), client("c4")])
    assert vars(first.clients) == {"created": 4, "updated": 0, "unchanged": 0, "skipped": 0}
    second = firm.sync(
        [
            client("c1", ClientCode="C"),  # gives its code to a new one
            client("c5", ClientCode="A"),
            client("c6", ClientCode="B"),  # shares the code of another
            client("c2", ClientCode="B", Phone="1"),
            client("c3", IsArchived="Yes"),
            client("c4", IsDeleted="Yes"),
            client("c7"),
            without_partner("c8"),
        ]
    )
    assert vars(second.clients) == {"created": 2, "updated": 4, "unchanged": 0, "skipped": 2}
    third = firm.sync(
        [
            client("c1", ClientCode="C"),
            client("c5", ClientCode="A"),
            client("c3", IsArchived="Yes"),
            client("c4", IsDeleted="Yes"),
        ]
    )
    assert vars(third.clients) == {"created": 0, "updated": 2, "unchanged": 4, "skipped": 0}


# The partner.


def test_the_partner_is_the_user_linked_to_the_staff_member_that_xpm_names(firm):
    firm.sync([client(AccountManager=BOB)])
    assert firm.clients() == [row(partner="bob@firm.example")]
    assert ("client", "Ngata Ltd", "created", None, None, "Ngata Ltd") in firm.changes()


def test_the_partner_is_the_user_with_the_staff_members_address_where_none_is_linked(firm):
    firm.staff = (*firm.staff, {"UUID": "s3", "Name": "Rob Ray", "Email": "BOB@firm.example"})
    firm.sync()
    assert firm.issues() == [("staff-email-shared", "s2"), ("staff-email-shared", "s3")]
    firm.execute("INSERT INTO users (id, first_name, email) VALUES ('by-hand', 'Bob', 'Bob@firm.example')")
    firm.sync([client(AccountManager=BOB)])
    assert firm.clients() == [row(partner="Bob@firm.example")]


def test_a_partner_who_is_not_listed_and_not_linked_is_an_error(firm):
    derivation = firm.sync([client(AccountManager=STRANGER)])
    assert firm.clients() == []
    assert [(issue.code, issue.field, issue.message, issue.suggestion) for issue in derivation.issues] == [
        (
            "partner-not-listed",
            "partner_id",
            "The partner Sid Ray is not in XPM's staff list.",
            (
                "In XPM, Clients > Ngata Ltd > Edit, choose a partner who is on the staff; "
                "or, if Sid Ray is a user of Active, run: "
                "xpmsync admin user link EMAIL --xpm-staff s9 --also"
            ),
        )
    ]
    assert vars(derivation.clients) == {"created": 0, "updated": 0, "unchanged": 0, "skipped": 1}


def test_a_partner_without_an_identifier_is_an_error_whose_suggestion_names_none(firm):
    derivation = firm.sync([client(AccountManager={"Name": "Sid Ray"})])
    assert firm.issues() == [("partner-not-listed", "c1")]
    assert derivation.issues[0].suggestion.endswith("xpmsync admin user link EMAIL --xpm-staff UUID --also")


def test_a_named_partner_who_is_missing_is_no_case_for_the_default_partner(firm):
    firm.sync()
    set_default_partner(firm, "bob@firm.example")
    firm.sync([client(AccountManager=STRANGER)])
    assert firm.clients() == []
    assert firm.issues() == [("partner-not-listed", "c1")]


def test_without_a_partner_in_xpm_the_office_s_default_partner_is_taken(firm):
    firm.sync()
    set_default_partner(firm, "bob@firm.example")
    firm.sync([without_partner()])
    assert firm.clients() == [row(partner="bob@firm.example")]


def test_without_a_partner_and_without_a_default_partner_it_is_an_error_that_heals_in_the_next_hour(firm):
    firm.sync([without_partner()])
    assert firm.clients() == []
    assert firm.issues() == [("partner-missing", "c1")]
    set_default_partner(firm, "ann@firm.example")
    firm.sync([], is_full_list=False)
    assert firm.clients() == [row()]
    assert firm.issues() == []


def test_the_default_partner_is_that_of_the_client_s_own_office(firm):
    firm.sync([client()])
    move_to_west(firm, "bob@firm.example")
    firm.sync([without_partner()])
    assert firm.clients() == [row(office_code="WEST", partner="bob@firm.example")]
    assert firm.changes() == [("client", "Ngata Ltd", "updated", "partner_id", "ann@firm.example", "bob@firm.example")]


def test_the_default_partner_of_a_client_set_up_by_hand_is_that_of_its_office(firm):
    add_client(firm, code="nga1")
    move_to_west(firm, "ann@firm.example")
    firm.sync([without_partner(ClientCode="NGA1")])
    assert firm.clients() == [row(office_code="WEST", code="NGA1")]


def test_the_default_partner_of_a_client_re_created_in_xpm_is_that_of_its_office(firm):
    firm.sync([client("c1", ClientCode="NGA1")])
    move_to_west(firm, "bob@firm.example")
    firm.sync([client("c1", ClientCode="NGA1", IsArchived="Yes"), without_partner("c2", ClientCode="NGA1")])
    assert firm.clients() == [row("c2", office_code="WEST", code="NGA1", partner="bob@firm.example")]


def test_a_new_client_with_a_code_that_just_moved_here_takes_no_default_partner_from_the_code_s_last_office(firm):
    firm.sync([client("c1", ClientCode="NGA1")])
    move_to_west(firm, "bob@firm.example")
    firm.sync([client("c1", ClientCode="NGA2"), without_partner("c2", ClientCode="NGA1")])
    assert firm.clients() == [row("c1", office_code="WEST", code="NGA2")]
    assert firm.issues() == [("partner-missing", "c2")]


def test_a_client_without_a_code_takes_no_default_partner_from_the_office_of_another_without_one(firm):
    firm.sync([client("c9")])
    move_to_west(firm, "bob@firm.example")
    firm.sync([client("c9", IsArchived="Yes"), without_partner()])
    assert firm.issues() == [("partner-missing", "c1")]


def test_a_client_refused_for_its_partner_keeps_its_data_and_status(firm):
    firm.sync([client(Phone="1", ClientCode="NGA1")])
    firm.sync([client(ClientCode="NGA1", IsArchived="Yes")])
    firm.sync([client(Phone="2", ClientCode="NGA2", AccountManager=STRANGER)])
    assert firm.clients() == [row(telephone="1", code="NGA1", status="archived")]
    assert firm.changes() == []


def test_a_partner_who_left_stays_valid_with_one_warning_on_the_user(firm):
    clients = [client(f"c{number}") for number in range(5)]
    firm.sync(clients)
    derivation = firm.sync(clients, staff=[BOB | {"Email": "bob@firm.example"}])
    assert [(issue.code, issue.xpm_uuid, issue.name, issue.message) for issue in derivation.issues] == [
        (
            "partner-no-longer-listed",
            "s1",
            "Ann Lee",
            "XPM no longer lists this staff member but still names them as the partner of 5 clients.",
        )
    ]
    assert firm.clients() == [row(f"c{number}") for number in range(5)]


# The manager.


def test_a_manager_who_is_not_in_active_is_a_warning_and_the_client_is_synced_without(firm):
    firm.sync([client(JobManager=BOB)])
    firm.sync([client(JobManager=STRANGER, Phone="1")])
    assert firm.clients() == [row(telephone="1")]
    assert firm.issues() == [("manager-not-in-active", "c1")]
    assert firm.changes() == [
        ("client", "Ngata Ltd", "updated", "telephone", None, "1"),
        ("client", "Ngata Ltd", "updated", "manager_id", "bob@firm.example", None),
    ]


# Matching.


def test_a_client_set_up_by_hand_is_matched_by_its_code_whatever_its_case(firm):
    add_client(firm, code="ÄB-1", telephone="1")
    firm.sync([client(ClientCode="äb-1", Phone="2")])
    assert firm.clients() == [row(code="äb-1", telephone="2")]
    assert firm.client_id("c1") == "by-hand"
    assert firm.changes() == [
        ("client", "Ngata Ltd", "updated", "legal_name", "Ngata", "Ngata Ltd"),
        ("client", "Ngata Ltd", "updated", "telephone", "1", "2"),
        ("client", "Ngata Ltd", "updated", "code", "ÄB-1", "äb-1"),
        ("client", "Ngata Ltd", "updated", "partner_id", "bob@firm.example", "ann@firm.example"),
        ("client", "Ngata Ltd", "linked", "xpm_client_uuid", None, "c1"),
    ]


def test_a_client_without_a_code_is_synced_without_one(firm):
    add_client(firm)
    firm.sync([client()])
    assert firm.clients() == [row(None, "Ngata", partner="bob@firm.example"), row()]


def test_a_code_of_white_space_typed_by_hand_is_none(firm):
    add_client(firm, code=" ")
    firm.sync([client()])
    assert [each.get("xpm_client_uuid") for each in firm.clients()] == [None, "c1"]


def test_an_abn_that_contradicts_is_an_error_instead_of_a_first_link(firm):
    add_client(firm, code="NGA1", abn=OTHER_ABN)
    before = firm.clients()
    derivation = firm.sync([client(ClientCode="NGA1", BusinessNumber=ABN)])
    assert firm.clients() == before
    assert [issue.message for issue in derivation.issues] == [
        "Active's client with the code NGA1, Ngata, has another ABN than this one, so they are not linked."
    ]


@pytest.mark.parametrize("typed", ["51 824 753 556", "51824753556", None, "unknown"])
def test_an_abn_that_does_not_contradict_is_no_hindrance(firm, typed):
    add_client(firm, code="NGA1", abn=typed)
    firm.sync([client(ClientCode="NGA1", BusinessNumber=ABN)])
    assert firm.clients() == [row(code="NGA1", abn=ABN)]


def test_two_clients_swap_their_codes_in_one_run(firm):
    firm.sync([client("c1", ClientCode="A"), client("c2", ClientCode="B")])
    firm.sync([client("c1", ClientCode="B"), client("c2", ClientCode="A")])
    assert firm.clients() == [row("c1", code="B"), row("c2", code="A")]
    assert firm.rows("SELECT code, code_key FROM clients ORDER BY code") == [
        {"code": "A", "code_key": "a"},
        {"code": "B", "code_key": "b"},
    ]
    assert firm.changes() == [
        ("client", "Ngata Ltd", "updated", "code", "A", "B"),
        ("client", "Ngata Ltd", "updated", "code", "B", "A"),
    ]


def test_a_chain_of_codes_stops_where_the_first_of_them_is_refused(firm):
    firm.sync([client("c1", ClientCode="A"), client("c2", ClientCode="B"), client("c3", ClientCode="C")])
    firm.sync(
        [
            client("c1", ClientCode="Z", AccountManager=STRANGER),
            client("c2", ClientCode="A", Phone="1"),
            client("c3", ClientCode="B", Phone="1"),
        ]
    )
    assert firm.clients() == [row("c1", code="A"), row("c2", code="B"), row("c3", code="C")]
    assert firm.issues() == [("client-code-taken", "c2"), ("client-code-taken", "c3"), ("partner-not-listed", "c1")]


def test_of_two_clients_with_one_code_the_linked_one_keeps_it(firm):
    firm.sync([client("c2", "Ngata Ltd", ClientCode="A")])
    derivation = firm.sync([client("c1", "Ngata Trust", ClientCode="a"), client("c2", "Ngata Ltd", ClientCode="A")])
    assert firm.clients() == [row("c2", code="A")]
    assert [(issue.xpm_uuid, issue.message) for issue in derivation.issues] == [
        ("c1", "The client code a is shared with Ngata Ltd in XPM.")
    ]


def test_of_several_clients_with_one_code_none_is_synced_where_none_is_linked(firm):
    add_client(firm, code="A")
    derivation = firm.sync([client(f"c{number}", f"Client {number}", ClientCode="A") for number in range(5)])
    assert [each.get("xpm_client_uuid") for each in firm.clients()] == [None]
    assert [issue.code for issue in derivation.issues] == ["client-code-shared"] * 5
    assert derivation.issues[0].message == ("The client code A is shared with Client 1, Client 2 and 2 others in XPM.")
    assert vars(derivation.clients) == {"created": 0, "updated": 0, "unchanged": 0, "skipped": 5}


def test_a_linked_client_does_not_get_a_code_that_a_client_set_up_by_hand_holds(firm):
    firm.sync([client(ClientCode="A")])
    add_client(firm, code="B")
    firm.sync([client(ClientCode="B", Phone="1")])
    assert firm.clients()[1] == row(code="A")
    assert firm.issues() == [("client-code-taken", "c1")]


def test_a_code_typed_by_hand_while_xpm_has_none_stays_and_is_not_given_away(firm):
    firm.sync([client("c1", ClientCode="A")])
    firm.sync([client("c1")])
    firm.execute("UPDATE clients SET code = 'A'")
    firm.sync([client("c1"), client("c2", "Other", ClientCode="A")])
    assert firm.clients() == [row(code="A")]
    assert firm.issues() == [("client-code-taken", "c2")]
    assert firm.changes() == []


# Archived, deleted, vanished.


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({"IsArchived": "Yes"}, "archived"),
        ({"IsDeleted": "Yes"}, "deleted"),
        ({"IsArchived": "Yes", "IsDeleted": "Yes"}, "deleted"),
        ({"IsArchived": "No", "IsDeleted": "No"}, "active"),
    ],
)
def test_a_client_gets_the_status_that_xpm_tells_and_keeps_its_data(firm, flags, status):
    firm.sync([client(Phone="1", ClientCode="A")])
    told = client("c1", "", ClientCode="A", **flags) if status != "active" else client(Phone="1", ClientCode="A")
    derivation = firm.sync([told])
    assert firm.clients() == [row(telephone="1", code="A", status=status)]
    is_changed = status != "active"
    assert firm.changes() == ([("client", "Ngata Ltd", "status", "status", "active", status)] if is_changed else [])
    expected = {"created": 0, "updated": int(is_changed), "unchanged": int(not is_changed), "skipped": 0}
    assert vars(derivation.clients) == expected
    assert firm.issues() == []


def test_a_client_missing_from_a_full_list_is_removed_and_becomes_active_again(firm):
    firm.sync([client("c1"), client("c2")])
    firm.sync([client("c2")])
    assert firm.clients() == [row("c1", status="removed"), row("c2")]
    firm.sync([client("c1", Phone="1"), client("c2")])
    assert firm.clients() == [row("c1", telephone="1"), row("c2")]
    assert firm.changes() == [
        ("client", "Ngata Ltd", "updated", "telephone", None, "1"),
        ("client", "Ngata Ltd", "status", "status", "removed", "active"),
    ]


def test_a_client_missing_from_a_list_of_changes_is_untouched(firm):
    firm.sync([client("c1"), client("c2")])
    firm.sync([client("c2", Phone="1")], is_full_list=False)
    assert firm.clients() == [row("c1"), row("c2", telephone="1")]


@pytest.mark.parametrize("flag", ["IsArchived", "IsDeleted"])
def test_a_client_that_was_never_live_is_not_created_and_makes_no_noise(firm, flag):
    derivation = firm.sync([client(**{flag: "Yes", "Name": "", "AccountManager": STRANGER})])
    assert firm.clients() == []
    assert firm.issues() == []
    assert vars(derivation.clients) == {"created": 0, "updated": 0, "unchanged": 0, "skipped": 0}


# Re-created in XPM.


@pytest.mark.parametrize(
    ("former", "fresh"),
    [
        ({"IsArchived": "Yes"}, {"Name": "Ngāta Limited", "BusinessNumber": ABN}),
        ({"IsDeleted": "Yes"}, {"Name": "NGATA LTD"}),
        (None, {"BusinessNumber": ABN}),
    ],
    ids=["archived, same ABN", "deleted, same name", "vanished, both"],
)
def test_a_client_re_created_in_xpm_takes_its_record_over(firm, former, fresh):
    firm.sync([client(ClientCode="A", BusinessNumber=ABN, Phone="1")])
    before = firm.client_id("c1")
    told = [client(ClientCode="A", BusinessNumber=ABN, **former)] if former else []
    firm.sync([*told, client("c2", ClientCode="A", **fresh)])
    abn = {"abn": ABN} if "BusinessNumber" in fresh else {}
    assert firm.clients() == [row("c2", fresh.get("Name", "Ngata Ltd"), code="A", **abn)]
    assert firm.client_id("c2") == before
    assert [change[2:] for change in firm.changes() if change[2] != "updated"] == [
        ("linked", "xpm_client_uuid", "c1", "c2")
    ]


@pytest.mark.parametrize(
    "fresh", [{"Name": "Another Ltd"}, {"BusinessNumber": OTHER_ABN}], ids=["another name", "an ABN that contradicts"]
)
def test_a_code_of_a_former_client_is_not_taken_over_by_what_may_be_another(firm, fresh):
    firm.sync([client(ClientCode="A", BusinessNumber=ABN)])
    derivation = firm.sync([client("c2", ClientCode="A", **fresh)])
    assert firm.clients() == [row(code="A", abn=ABN, status="removed")]
    assert [(issue.code, issue.suggestion.partition(";")[0]) for issue in derivation.issues] == [
        ("code-held-by-former-client", "If both are one client, run: xpmsync admin client link A --xpm-client c2")
    ]


# What XPM leaves empty, and what it does not own.


def test_what_xpm_sent_goes_when_xpm_clears_it_whoever_typed_it_and_what_is_typed_then_stays(firm):
    add_client(firm, code="A", telephone="1", manager_id=None)
    firm.sync([client(ClientCode="A", Phone=" 1", JobManager=BOB)])
    firm.execute("UPDATE clients SET manager_id = NULL, fax = '2'")
    firm.execute("UPDATE clients SET manager_id = (SELECT id FROM users WHERE email = 'bob@firm.example')")
    firm.sync([client(Fax="2")])
    assert firm.clients() == [row(fax="2")]
    firm.execute("UPDATE clients SET telephone = '1', code = 'A'")
    for _ in range(2):
        firm.sync([client()])
        assert firm.clients() == [row(code="A", telephone="1")]


def test_a_group_that_a_client_was_put_into_by_hand_is_left_when_xpm_has_it_and_clears_it(firm):
    farms = {"Group": {"UUID": "g1", "Name": "Farms"}}
    firm.sync([client("c1", Groups=farms), client("c2", Groups="")])
    firm.execute("INSERT INTO client_group_members SELECT ?, id FROM client_groups", firm.client_id("c2"))
    firm.sync([client("c1", Groups=farms), client("c2", Groups="")])
    assert firm.clients() == [row("c1", groups="Farms"), row("c2", groups="Farms")]
    firm.sync([client("c1", Groups=farms), client("c2", Groups=farms)])
    firm.sync([client("c1", Groups=farms), client("c2", Groups="")])
    assert firm.clients() == [row("c1", groups="Farms"), row("c2")]


def test_an_empty_value_clears_what_a_sync_wrote_and_leaves_what_was_typed(firm):
    add_client(firm, code="A", telephone="typed", fax="typed")
    firm.sync([client(ClientCode="A", Phone="", Fax="written", Email="written@ngata.example")])
    firm.sync([client(ClientCode="A")])
    assert firm.clients() == [row(code="A", telephone="typed")]
    assert firm.changes() == [
        ("client", "Ngata Ltd", "updated", "email", "written@ngata.example", None),
        ("client", "Ngata Ltd", "updated", "fax", "written", None),
    ]


def test_a_manager_typed_by_hand_stays_while_xpm_names_none(firm):
    firm.sync()
    add_client(firm, code="A", manager_id=firm.user_id("bob@firm.example"))
    firm.sync([client(ClientCode="A")])
    assert firm.clients() == [row(code="A", manager="bob@firm.example")]
    firm.sync([client(ClientCode="A", JobManager=ANN)])
    firm.sync([client(ClientCode="A")])
    assert firm.clients() == [row(code="A")]


def test_a_value_typed_over_one_that_a_sync_wrote_is_not_cleared(firm):
    firm.sync([client(Phone="1")])
    firm.execute("UPDATE clients SET telephone = 'typed'")
    firm.sync([client()])
    assert firm.clients() == [row(telephone="typed")]


def test_the_office_of_a_client_is_never_touched(firm):
    firm.sync([client()])
    move_to_west(firm)
    firm.sync([client(Phone="1")])
    assert firm.clients() == [row(office_code="WEST", telephone="1")]


def test_a_client_set_up_by_hand_that_xpm_does_not_know_is_left_alone(firm):
    add_client(firm, code="A")
    before = firm.clients()
    firm.sync([client(ClientCode="B")])
    assert before[0] in firm.clients()
