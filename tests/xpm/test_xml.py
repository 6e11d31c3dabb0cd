import json
import resource
from pathlib import Path

import pytest

from xpmsync.records import ListShape, RecordShape
from xpmsync.xpm.xml import CutShort, ErrorReported, Unreadable, parse_records

STATM = Path("/proc/self/statm")
RECORDINGS = Path(__file__).parent.parent / "recordings"
CLIENTS = RecordShape(
    "Clients/Client",
    {
        "UUID": "uuid",
        "Name": "name",
        "Email": "email",
        "AccountManager/UUID": "partner_uuid",
        "AccountManager/Name": "partner_name",
    },
    (
        ListShape("Contacts/Contact", "contacts", {"Name": "name", "IsPrimary": "primary"}),
        ListShape("Groups/Group", "groups", {"UUID": "uuid", "Name": "name"}),
    ),
)


ELEMENTS = {"UUID", "Name", "Email", "AccountManager", "Contacts", "Groups"}


def answer(records, status="<Status>OK</Status>"):
    return f'<Response api-method="List">{status}<Clients>{records}</Clients></Response>'.encode()


def find_absent(content):
    absent = set(CLIENTS.elements)
    list(parse_records([content], CLIENTS, absent))
    return absent


def parse(content, shape=CLIENTS, *, chunk_bytes=7):
    """Parse in small pieces, so that every element is cut somewhere."""
    chunks = (content[start : start + chunk_bytes] for start in range(0, len(content), chunk_bytes))
    return [dict(zip(shape.columns, record, strict=True)) for record in parse_records(chunks, shape)]


def test_a_record_has_every_column_whatever_the_order_of_its_elements():
    told = parse(
        answer(
            "<Client><Groups><Group><Name>Ōtaki &amp; Sons</Name><UUID>g1</UUID></Group></Groups>"
            "<AccountManager><Name>Ann</Name><UUID>s1</UUID></AccountManager><New>?</New>"
            "<Contacts><Contact><IsPrimary>Yes</IsPrimary><Name>Bo</Name></Contact>"
            "<Contact><Name /></Contact></Contacts>"
            "<Email>a@example.com</Email><Name>A</Name><UUID>c1</UUID></Client>"
        )
    )
    assert told == [
        {
            "uuid": "c1",
            "name": "A",
            "email": "a@example.com",
            "partner_uuid": "s1",
            "partner_name": "Ann",
            "contacts": '[{"name":"Bo","primary":"Yes"},{"name":null,"primary":null}]',
            "groups": '[{"uuid":"g1","name":"Ōtaki & Sons"}]',
        }
    ]


@pytest.mark.parametrize(
    ("records", "absent"),
    [
        ("", ELEMENTS),
        ("<Client><UUID>c1</UUID><Name>A</Name></Client>", ELEMENTS - {"UUID", "Name"}),
        ("<Client><UUID /><Email></Email><Groups /><Contacts></Contacts></Client>", {"Name", "AccountManager"}),
        ("<Client><AccountManager /></Client><Client><Name>A</Name></Client>", ELEMENTS - {"AccountManager", "Name"}),
        ("<Client><UUID>c1</UUID><New><Email>a</Email></New></Client>", ELEMENTS - {"UUID"}),
    ],
)
def test_what_is_absent_from_all_records_is_told_apart_from_what_is_empty(records, absent):
    assert find_absent(answer(records)) == absent


@pytest.mark.parametrize("email", ["", "<Email></Email>", "<Email />", "<Email><!-- none --></Email>"])
def test_absent_and_empty_elements_are_none(email):
    assert parse(answer(f"<Client><UUID>c1</UUID>{email}</Client>"))[0]["email"] is None


def test_an_absent_list_is_not_told_and_an_empty_one_is_none():
    first, second, third = parse(
        answer("<Client /><Client><Groups /></Client><Client><Groups>\n</Groups><Contacts></Contacts></Client>")
    )
    assert (first["groups"], first["contacts"]) == (None, None)
    assert (second["groups"], second["contacts"]) == ("[]", None)
    assert (third["groups"], third["contacts"]) == ("[]", "[]")


def test_text_comes_as_it_is_in_the_answer():
    text = "  12 Main Street\n      Level 3 <![CDATA[& more]]> 🙂 "
    record = parse(answer(f"<Client><Name>{text}</Name></Client>"))[0]
    assert record["name"] == "  12 Main Street\n      Level 3 & more 🙂 "


def test_a_record_without_an_id_is_kept_for_the_rules_to_judge():
    assert parse(answer("<Client><Name>A</Name></Client>"))[0]["uuid"] is None


def test_elements_of_the_same_name_elsewhere_are_not_taken_for_records_or_for_the_status():
    told = parse(
        answer(
            "<Client><UUID>c1</UUID><Status>ERROR</Status><Relationships><Relationship><Client><UUID>x</UUID></Client>"
            "</Relationship></Relationships><Clients><Client><UUID>y</UUID></Client></Clients></Client>"
        )
    )
    assert [record["uuid"] for record in told] == ["c1"]


def test_the_status_may_come_last():
    content = b"<Response><Clients><Client><UUID>c1</UUID></Client></Clients><Status>OK</Status></Response>"
    assert len(parse(content)) == 1


def test_a_declaration_and_line_breaks_change_nothing():
    content = (
        b'<?xml version="1.0" encoding="utf-8"?>\r\n<Response>\n <Status>OK</Status>\n <Clients>\n'
        b"  <Client>\n   <UUID>c1</UUID>\n  </Client>\n </Clients>\n</Response>\n"
    )
    assert parse(content)[0]["uuid"] == "c1"


def test_only_the_local_names_of_elements_count():
    content = (
        b'<a:Response xmlns:a="urn:a" xmlns="urn:b"><Status>OK</Status><Clients><b:Client xmlns:b="urn:b">'
        b'<a:UUID>c1</a:UUID><AccountManager><UUID xmlns="">s1</UUID></AccountManager>'
        b"<a:Groups><Group><b:Name>G</b:Name></Group></a:Groups></b:Client></Clients></a:Response>"
    )
    (record,) = parse(content)
    assert (record["uuid"], record["partner_uuid"], record["name"]) == ("c1", "s1", None)
    assert record["groups"] == '[{"uuid":null,"name":"G"}]'
    with pytest.raises(ErrorReported, match="error of its own"):
        parse(b'<Response xmlns="urn:a"><Status>ERROR</Status></Response>')


def test_tags_without_end_are_not_kept_in_memory():
    noise = "".join(f"<N{number}>x</N{number}>" for number in range(5000))
    assert parse(answer(f"<Client>{noise}<UUID>c1</UUID></Client>"))[0]["uuid"] == "c1"


def test_an_empty_list_gives_nothing():
    assert parse(answer("")) == []


def test_the_status_error_is_raised_in_xeros_own_words():
    content = answer("", "<Status>ERROR</Status><ErrorDescription>Invalid &quot;modifiedsince&quot;</ErrorDescription>")
    with pytest.raises(ErrorReported) as caught:
        parse(content)
    assert 'It says: “Invalid "modifiedsince"”' in caught.value.in_full
    assert "Invalid" not in caught.value.happened  # which an e-mail repeats, and Xero's words may hold names


@pytest.mark.parametrize("length", [0, 1, 40, -1, -12])
def test_an_answer_that_was_cut_is_never_believed(length):
    content = answer("<Client><UUID>c1</UUID></Client><Client><UUID>c2</UUID></Client>")
    with pytest.raises(CutShort):
        parse(content[:length])


@pytest.mark.parametrize(
    "content",
    [
        b"<Response><Status>OK</Statu></Response>",
        b"<!DOCTYPE html><html><head><title>Xero</title></head><body><p>Back soon.<br></body></html>",
        b"<html><body>Back soon.</body></html>",
        b'{"Status":"OK"}',
        b"<Response><Clients /></Response>",
        b"<Response><Status>MAYBE</Status></Response>",
        "<Response><Status>OK</Status><Clients><Client><Name>Café</Name></Client></Clients></Response>".encode(
            "latin-1"
        ),
        b"<Response><Status>OK</Status><Clients><Client><Name>\x0b</Name></Client></Clients></Response>",
    ],
)
def test_an_answer_that_is_none_is_unreadable(content):
    with pytest.raises(Unreadable):
        parse(content)


def test_entities_are_refused_and_never_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("from outside")
    told = []
    content = f'<!DOCTYPE Response [<!ENTITY x SYSTEM "file://{secret}">]>'.encode() + answer(
        "<Client><Name>&x;</Name></Client>"
    )
    with pytest.raises(Unreadable):
        told.extend(parse(content))
    assert "outside" not in str(told)


def test_what_is_wrong_is_told_without_a_clients_data():
    with pytest.raises(Unreadable) as caught:
        parse(answer("<Client><Name>Jane Private</Nme></Client>"))
    assert "Private" not in f"{caught.value} {caught.value.remedy} {caught.value.details}"


@pytest.mark.skipif(not STATM.exists(), reason="the process's memory is read from /proc")
def test_any_number_of_records_is_read_in_constant_memory():
    record = (
        b"<Client><UUID>c</UUID><Name>"
        + b"n" * 9000
        + b"</Name><Notes><Text>"
        + b"t" * 9000
        + b"</Text></Notes></Client>"
    )

    def chunks(count):
        yield b"<Response><Status>OK</Status><Clients>"
        for _ in range(count):
            yield record
        yield b"</Clients></Response>"

    def used_bytes():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()

    before, most = used_bytes(), 0
    for number, _ in enumerate(parse_records(chunks(5_000), CLIENTS)):  # 90 MB
        if number % 500 == 0:
            most = max(most, used_bytes())
    assert number == 4_999
    assert most - before < 10_000_000


def test_the_recorded_clients_are_read_whole():
    content = (RECORDINGS / "client-list-detailed.http").read_bytes().partition(b"\r\n\r\n")[2]
    told = parse(content, chunk_bytes=1000)
    assert len(told) == 12
    assert told[0] == {
        "uuid": "80ab2112-76dd-4d84-85a4-22259a9f0c2d",
        "name": "ABC Co",
        "email": None,
        "partner_uuid": None,
        "partner_name": None,
        "contacts": '[{"name":"Rob","primary":"No"}]',
        "groups": "[]",
    }
    assert all(record["uuid"] and json.loads(record["contacts"]) is not None for record in told)
