"""Client groups: made, renamed, joined and left."""

ANN = {"UUID": "s1", "Name": "Ann Lee"}
FARMS = {"Group": {"UUID": "g1", "Name": "Farms"}}
WHANAU = {"Group": {"UUID": "G2", "Name": " Whānau "}}


def client(uuid="c1", /, **elements):
    return {"UUID": uuid, "Name": "Ngata Ltd", "AccountManager": ANN} | elements


def groups_of(firm):
    return [each.get("groups") for each in firm.clients()]


def changes(firm):
    return [change for change in firm.changes() if change[0] == "group" or change[3] == "groups"]


def test_a_group_is_made_when_a_client_is_first_in_it_and_shared_by_others(firm):
    firm.sync([client("c1", Groups=[FARMS, WHANAU]), client("c2", Groups=[FARMS])])
    assert firm.rows("SELECT name, xpm_group_uuid FROM client_groups ORDER BY name") == [
        {"name": "Farms", "xpm_group_uuid": "g1"},
        {"name": "Whānau", "xpm_group_uuid": "g2"},
    ]
    assert groups_of(firm) == ["Farms; Whānau", "Farms"]
    assert changes(firm) == [
        ("group", "Farms", "created", None, None, "Farms"),
        ("group", "Whānau", "created", None, None, "Whānau"),
    ]


def test_a_group_that_no_client_is_in_is_not_made(firm):
    firm.sync([client()], groups=[FARMS["Group"]])
    assert firm.rows("SELECT * FROM client_groups") == []


def test_membership_is_one_field_of_the_client(firm):
    firm.sync([client(Groups=[FARMS])])
    firm.sync([client(Groups=[WHANAU])])
    assert groups_of(firm) == ["Whānau"]
    assert changes(firm) == [
        ("group", "Whānau", "created", None, None, "Whānau"),
        ("client", "Ngata Ltd", "updated", "groups", "Farms", "Whānau"),
    ]


def test_groups_that_are_not_told_are_kept_and_none_means_none(firm):
    firm.sync([client(Groups=[FARMS, WHANAU])])
    firm.sync([client()])
    assert groups_of(firm) == ["Farms; Whānau"]
    assert firm.changes() == []
    firm.sync([client(Groups=[])])
    assert groups_of(firm) == [None]
    assert changes(firm) == [("client", "Ngata Ltd", "updated", "groups", "Farms; Whānau", None)]
    assert len(firm.rows("SELECT * FROM client_groups")) == 2


def test_a_membership_made_by_hand_is_kept(firm):
    firm.sync([client(Groups=[FARMS])])
    firm.execute("INSERT INTO client_groups (id, name) VALUES ('by-hand', 'VIPs')")
    firm.execute("INSERT INTO client_group_members SELECT id, 'by-hand' FROM clients")
    firm.sync([client(Groups=[WHANAU])])
    assert groups_of(firm) == ["VIPs; Whānau"]
    firm.sync([client(Groups=[])])
    assert groups_of(firm) == ["VIPs"]


def test_a_membership_in_a_group_of_xpm_made_by_hand_is_not_cleared_by_a_sync(firm):
    firm.sync([client("c1", Groups=[FARMS]), client("c2", Groups=[])])
    firm.execute(
        "INSERT OR IGNORE INTO client_group_members SELECT clients.id, client_groups.id FROM clients, client_groups"
    )
    firm.sync([client("c1", Groups=[]), client("c2", Groups=[])])
    assert groups_of(firm) == [None, "Farms"]


def test_the_group_list_renames_a_group(firm):
    firm.sync([client(Groups=[FARMS])])
    firm.sync([client(Groups=[FARMS])], groups=[{"UUID": "G1", "Name": "Farms & Stations"}])
    assert groups_of(firm) == ["Farms & Stations"]
    assert firm.changes() == [("group", "Farms & Stations", "updated", "name", "Farms", "Farms & Stations")]


def test_a_client_leaves_a_group_by_the_name_that_it_has_since_this_hour(firm):
    firm.sync([client(Groups=[FARMS])])
    firm.sync([client(Groups=[])], groups=[{"UUID": "G1", "Name": "Farms & Stations"}])
    assert firm.changes()[-1] == ("client", "Ngata Ltd", "updated", "groups", "Farms & Stations", None)


def test_a_group_without_a_name_is_left_out_until_it_has_one(firm):
    firm.sync([client(Groups=[{"Group": {"UUID": "g1"}}, WHANAU])])
    assert groups_of(firm) == ["Whānau"]
    assert firm.issues() == [("group-without-name", "c1")]
    firm.sync([], groups=[FARMS["Group"]], is_full_list=False)
    assert groups_of(firm) == ["Farms; Whānau"]
    assert firm.issues() == []


def test_a_group_that_lost_its_name_keeps_the_one_it_had(firm):
    firm.sync([client(Groups=[FARMS])])
    firm.sync([client(Groups=[{"Group": {"UUID": "g1"}}])])
    assert groups_of(firm) == ["Farms"]
    assert firm.issues() == []


def test_a_group_without_an_identifier_is_no_group_and_a_warning(firm):
    firm.sync([client(Groups=[{"Group": {"Name": "Nobody"}}])])
    assert groups_of(firm) == [None]
    assert firm.rows("SELECT * FROM client_groups") == []
    assert firm.issues() == [("group-without-id", "c1")]


def test_a_client_whose_groups_come_without_an_identifier_leaves_none_of_them(firm):
    firm.sync([client(Groups=[FARMS])])
    firm.sync([client(Groups=[{"Group": {"UUID": " ", "Name": "Farms"}}, WHANAU])])
    assert groups_of(firm) == ["Farms; Whānau"]
    firm.sync([client(Groups=[WHANAU])])
    assert groups_of(firm) == ["Whānau"]
    assert firm.issues() == []
