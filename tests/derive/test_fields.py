"""Every row of the two published tables, from XPM's XML to whole rows of Active."""

import json

import pytest

from xpmsync.rules.fields import CLIENT_FIELDS, CLIENT_SHAPE, GROUP_SHAPE, STAFF_FIELDS, STAFF_SHAPE, Field, make_reader

PARTNER = "<AccountManager><UUID>s1</UUID><Name>Ann Lee</Name></AccountManager>"
ROW = {
    "legal_name": "Ngata Ltd",
    "partner": "ann@firm.example",
    "office_code": "MAIN",
    "status": "active",
    "xpm_client_uuid": "c1",
}

# Row of the published table, what XPM tells beside the client's name and partner, what Active's row holds beside them.
CLIENT_ROWS = [
    ("1", "<Name>  Ngāti\u00a0Awa \n Trust 🥝 &amp; Co </Name>", {"legal_name": "Ngāti Awa Trust 🥝 & Co"}),
    (
        "1",
        "<Name> </Name><FirstName>Aroha</FirstName><LastName>Ngata</LastName>",
        {"legal_name": "Aroha Ngata", "individual_first_name": "Aroha", "individual_last_name": "Ngata"},
    ),
    ("1", "<Name /><LastName>Ngata</LastName>", {"legal_name": "Ngata", "individual_last_name": "Ngata"}),
    ("1", "<Name /><FirstName>Aroha</FirstName>", {"legal_name": "Aroha", "individual_first_name": "Aroha"}),
    ("2", "<Title> Dr  </Title>", {"individual_title": "Dr"}),
    ("3", "<Email> Office@Ngata.example </Email>", {"email": "Office@Ngata.example"}),
    ("4", "<Phone>+64 9 123 4567</Phone>", {"telephone": "+64 9 123 4567"}),
    ("5", "<Fax>02 1234  1234</Fax>", {"fax": "02 1234  1234"}),
    ("6", "<ClientCode> NGA001 </ClientCode>", {"code": "NGA001"}),
    ("7", "<AccountManager><UUID>S2</UUID><Name>Bob Ray</Name></AccountManager>", {"partner": "bob@firm.example"}),
    ("8", "<JobManager><Name>Bob Ray</Name><UUID>s2</UUID></JobManager>", {"manager": "bob@firm.example"}),
    ("9", "<Address>1 Quay Street</Address>", {"residential_address_line_1": "1 Quay Street"}),
    (
        "10",
        "<Address>\n      1 Quay Street\n      Level 2\n    </Address>",
        {"residential_address_line_1": "1 Quay Street", "residential_address_line_2": "Level 2"},
    ),
    (
        "11",
        "<Address>1 Quay Street&#13;\nLevel 2&#13;\n&#13;\nThe Landing&#13;\nDesk 4</Address>",
        {
            "residential_address_line_1": "1 Quay Street",
            "residential_address_line_2": "Level 2",
            "residential_address_line_3": "The Landing, Desk 4",
        },
    ),
    ("12", "<City>Whangārei</City>", {"residential_address_suburb": "Whangārei"}),
    ("13", "<Region>Northland</Region>", {"residential_address_state": "Northland"}),
    ("+", "<PostCode>0110</PostCode>", {"residential_address_post_code": "0110"}),
    ("14", "<PostalAddress>PO Box 12</PostalAddress>", {"postal_address_line_1": "PO Box 12"}),
    (
        "15",
        "<PostalAddress>c/o Lee\nPO Box 12</PostalAddress>",
        {"postal_address_line_1": "c/o Lee", "postal_address_line_2": "PO Box 12"},
    ),
    (
        "16",
        "<PostalAddress>c/o Lee\nPO Box 12\nKensington</PostalAddress>",
        {
            "postal_address_line_1": "c/o Lee",
            "postal_address_line_2": "PO Box 12",
            "postal_address_line_3": "Kensington",
        },
    ),
    ("17", "<PostalCity>Kaitāia</PostalCity>", {"postal_address_suburb": "Kaitāia"}),
    ("18", "<PostalRegion>Far North</PostalRegion>", {"postal_address_state": "Far North"}),
    ("19", "<PostalPostCode>0410</PostalPostCode>", {"postal_address_post_code": "0410"}),
    (
        "20",
        "<Groups><Group><UUID>g2</UUID><Name>Whānau</Name></Group><Group><Name>Farms</Name><UUID>g1</UUID></Group></Groups>",
        {"groups": "Farms; Whānau"},
    ),
    ("21", "<BusinessNumber>51 824 753 556</BusinessNumber>", {"abn": "51824753556"}),
    ("22", "<BusinessStructure>Self Managed  Fund</BusinessStructure>", {"entity_type": "Self Managed Fund"}),
    ("23", "<FirstName>Hēmi</FirstName>", {"individual_first_name": "Hēmi"}),
    ("24", "<LastName>van der  Berg</LastName>", {"individual_last_name": "van der Berg"}),
    (
        "25",
        (
            "<Contacts><Contact><Salutation>Sir</Salutation><IsPrimary>No</IsPrimary></Contact>"
            "<Contact><Salutation>Kia ora Hēmi</Salutation><IsPrimary>Yes</IsPrimary></Contact></Contacts>"
        ),
        {"individual_salutation": "Kia ora Hēmi"},
    ),
]

USER_ROWS = [
    ("1", "<Name>Aroha te Rangi</Name>", {"first_name": "Aroha", "last_name": "te Rangi"}),
    ("1", "<Name> Mary\u00a0 Jane\n Watson </Name>", {"first_name": "Mary", "last_name": "Jane Watson"}),
    ("1", "<Name>Zoë</Name>", {"first_name": "Zoë"}),
    ("2", "<Email> Aroha@Firm.example\n</Email>", {"email": "Aroha@Firm.example"}),
]


def client_xml(told):
    name = "" if told.startswith("<Name") else "<Name>Ngata Ltd</Name>"
    partner = "" if told.startswith("<AccountManager") else PARTNER
    return f"<Client><UUID>C1</UUID>{name}{partner}{told}</Client>"


@pytest.mark.parametrize(("row", "told", "expected"), CLIENT_ROWS)
def test_a_client_field_of_xpm_becomes_a_field_of_active(firm, row, told, expected):  # noqa: ARG001 - names the case
    derivation = firm.sync([client_xml(told)])
    assert firm.clients() == [ROW | expected]
    assert [issue.code for issue in derivation.issues] == []


@pytest.mark.parametrize(("row", "told", "expected"), USER_ROWS)
def test_a_staff_field_of_xpm_becomes_a_field_of_active(firm, row, told, expected):
    other_element = "<Email>ann@firm.example</Email>" if row == "1" else "<Name>Ann Lee</Name>"
    other_field = {"email": "ann@firm.example"} if row == "1" else {"first_name": "Ann", "last_name": "Lee"}
    firm.sync(staff=[f"<Staff>{told}{other_element}<UUID>S1</UUID></Staff>"])
    assert firm.users() == [{"status": "active", "xpm_staff_uuid": "s1"} | other_field | expected]


@pytest.mark.parametrize(("fields", "rows"), [(CLIENT_FIELDS, CLIENT_ROWS), (STAFF_FIELDS, USER_ROWS)])
def test_every_field_is_shown(fields, rows):
    assert {row for row, *_ in rows} == {field.row for field in fields}
    shown = {column for *_, expected in rows for column in expected}
    assert shown == {field.column.removesuffix("_id") for field in fields}  # a user is shown by address


def test_the_field_table_has_every_row_of_the_published_tables():
    assert list(dict.fromkeys(field.row for field in STAFF_FIELDS)) == ["1", "2"]
    assert [field.row for field in CLIENT_FIELDS if field.row != "+"] == list(map(str, range(1, 26)))


@pytest.mark.parametrize("told", ["", "<{} />", "<{}></{}>", "<{}> \n </{}>"])
def test_absent_empty_and_blank_elements_are_all_not_set(firm, told):
    texts = {element for field in CLIENT_FIELDS for element in field.elements if "/" not in element}
    elements = [*sorted(texts - {"Name"}), "JobManager"]
    firm.sync([client_xml("".join(told.replace("{}", element) for element in elements))])
    assert firm.clients() == [ROW]


def test_a_field_read_from_a_list_has_no_value_where_xpm_does_not_tell_the_list():
    def read_names(contacts):
        return ", ".join(contact["name"] for contact in json.loads(contacts)) or None

    read = make_reader((Field("26", "Contacts", ("Contacts/Contact",), "contact_names", "Contacts", read_names),))
    assert read({"contacts": None}) == {}
    assert read({"contacts": "[]"}) == {"contact_names": None}
    assert read({"contacts": '[{"name": "Hēmi"}]'}) == {"contact_names": "Hēmi"}


def test_a_field_may_be_read_from_two_elements():
    read = make_reader((Field("26", "Name", ("FirstName", "LastName"), "name", "Name", lambda *names: names),))
    assert read({"first_name": "Ann", "last_name": None}) == {"name": ("Ann", None)}


def test_elements_that_nobody_asked_for_are_not_kept(firm):
    firm.sync([client_xml("<TaxNumber>*****123</TaxNumber><BankAccountNumber>12-3456</BankAccountNumber>")])
    everything = "\n".join(firm.database.connection.iterdump())
    assert "*****123" not in everything
    assert "12-3456" not in everything


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("xpm_staff", {*STAFF_SHAPE.columns, "vanished_at"}),
        ("xpm_clients", {*CLIENT_SHAPE.columns, "vanished_at"}),
        ("xpm_groups", {*GROUP_SHAPE.columns}),
        (
            "users",
            {field.column for field in STAFF_FIELDS}
            | {"id", "email_key", "role", "office_code", "status", "xpm_staff_uuid"},
        ),
        (
            "clients",
            {field.column for field in CLIENT_FIELDS} - {"groups"}
            | {"id", "code_key", "office_code", "status", "xpm_client_uuid"},
        ),
    ],
)
def test_the_tables_have_the_columns_that_the_field_table_names(firm, table, columns):
    found = firm.rows("SELECT name FROM pragma_table_info(?)", table)
    assert {row["name"] for row in found} == columns
