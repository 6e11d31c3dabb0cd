"""How the texts of XPM become values: literal texts, literal values, and what must hold for any text."""

import json
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpmsync.rules.reading import (
    is_business_number,
    is_email_address,
    is_yes,
    primary_contacts,
    read_address_line,
    read_business_number,
    read_family_name,
    read_given_name,
    read_groups,
    read_identity,
    read_legal_name,
    read_name,
    read_salutation,
    read_text,
)
from xpmsync.text import fold


def read_lines(address):
    return tuple(read_address_line(number)(address) for number in (1, 2, 3))


READ = {
    read_text: {
        "  a  b\nc ": "a  b\nc",
        "\u00a0Tāmaki Makaurau\u00a0": "Tāmaki Makaurau",
        "🥝": "🥝",
        "\u200b \ufeff": None,
        "\u200ban\u00adn\u2060@firm.example\u200d ": "ann@firm.example",
        "E\u03011": "\u00c91",
        "A\u200d1": "A1",
        "\u0645\u06cc\u200c\u062e": "\u0645\u06cc\u200c\u062e",
        "क्\u200dष \u200d": "क्\u200dष",
    },
    read_name: {
        " Smith  &\n\t Co ": "Smith & Co",
        "Ngāti\u00a0\u00a0Awa": "Ngāti Awa",
        "\u2003Łukasz\u2009Żak\u3000": "Łukasz Żak",
        "O\u2019Brien-Smith 👩\u200d🌾": "O\u2019Brien-Smith 👩🌾",
        "\u200b": None,
        "\u3164 \u2800\u0301": None,
        "\u3164 Lee": "Lee",
    },
    read_identity: {" 6D15E37B-7955-4E3C-B893-9227500599BD\n": "6d15e37b-7955-4e3c-b893-9227500599bd"},
    read_business_number: {
        None: None,
        "51 824 753 556": "51824753556",
        "ABN: 51-824-753-556": "51824753556",
        "9429041234568": "9429041234568",
        "NZBN 94290 41234 568": "9429041234568",
        "004 085 616": None,
        "51 824 753 556 001": None,
        "pending": None,
        "٥١٨٢٤٧٥٣٥٥٦": None,
    },
}
"""A text is trimmed, white space in a name is one space, an identity is in lower case, an ABN or NZBN is its digits."""
HELD = {
    is_yes: {"Yes": True, " yes\n": True, "true": True, "No": False, "": False, None: False},
    is_business_number: {
        # The check digits of an ABN, then the one of an NZBN, which begins with 94.
        "51824753556": True,
        "53004085616": True,
        "51824753557": False,
        "01824753556": False,
        "9429041234562": False,
        "9429000106078": True,
        "9300675024235": False,
    },
    is_email_address: {
        "ann@firm.example": True,
        "ānn.o\u2019neil+tax@firm.example": True,
        "ann": False,
        "ann@": False,
        "@firm.example": False,
        "ann@@firm.example": False,
        "ann lee@firm.example": False,
        "ann@firm.example;bob@firm.example": False,
        "ann@firm.example, bob@firm.example": False,
        "Ann <ann@firm.example>": False,
        "ann@firm.example\n": False,
        "mailto:ann@firm.example": False,
        "ann@firm.example.": False,
        "ann@.firm.example": False,
        "ann@firm..example": False,
        "(ann)@firm.example": False,
        "ann@localhost": True,
    },
}


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [(read, text, expected) for read, texts in (READ | HELD).items() for text, expected in texts.items()],
)
def test_a_text_is_read_as_what_it_means(read, text, expected):
    assert read(text) == expected


@pytest.mark.parametrize("read", [read_text, read_name, read_identity, read_given_name, read_family_name])
@pytest.mark.parametrize("text", [None, "", " ", "\r\n\t", "\u00a0"])
def test_nothing_but_white_space_is_not_set(read, text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "given_name", "family_name"),
    [
        ("Ann Lee", "Ann", "Lee"),
        (" Mary\u00a0Jane  Watson ", "Mary", "Jane Watson"),
        ("Hēmi te Rangi", "Hēmi", "te Rangi"),
        ("Zoë", "Zoë", None),
        ("Jean-Luc\nPicard", "Jean-Luc", "Picard"),
    ],
)
def test_a_name_is_split_at_its_first_space(text, given_name, family_name):
    assert (read_given_name(text), read_family_name(text)) == (given_name, family_name)


@given(st.text())
def test_a_split_name_joins_to_itself(text):
    parts = [part for part in (read_given_name(text), read_family_name(text)) if part]
    assert (" ".join(parts) or None) == read_name(text)


@given(st.text())
def test_what_was_read_reads_as_itself(text):
    for read in (read_text, read_name, read_identity, read_business_number):
        assert read(read(text)) == read(text)


@pytest.mark.parametrize(
    ("name", "first_name", "last_name", "expected"),
    [
        (" Ngata  Ltd ", "Aroha", "Ngata", "Ngata Ltd"),
        (None, "Aroha", "Ngata", "Aroha Ngata"),
        (" ", "Aroha ", None, "Aroha"),
        ("", None, "Ngata", "Ngata"),
        (None, None, None, None),
        ("\u00a0", " ", "\n", None),
    ],
)
def test_the_legal_name_is_the_name_or_else_first_and_last_name(name, first_name, last_name, expected):
    assert read_legal_name(name, first_name, last_name) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (None, (None, None, None)),
        ("  \n \r\n ", (None, None, None)),
        ("1 Quay Street", ("1 Quay Street", None, None)),
        ("\n      1 Quay Street\n      Level 2\n    ", ("1 Quay Street", "Level 2", None)),
        ("1 Quay Street\r\nLevel 2\r\nThe Landing\r\n", ("1 Quay Street", "Level 2", "The Landing")),
        ("c/o Lee\n\n\n1 Quay Street", ("c/o Lee", "1 Quay Street", None)),
        ("a\nb\nc\nd", ("a", "b", "c, d")),
        ("a\r\n\tb\r\n\r\n c \r\nd,\r\ne  f", ("a", "b", "c, d,, e  f")),
        ("1 Quay Street, Level 2", ("1 Quay Street, Level 2", None, None)),
    ],
)
def test_an_address_is_read_line_by_line(address, expected):
    assert read_lines(address) == expected


@given(st.text())
def test_no_part_of_an_address_is_ever_dropped(address):
    told = "".join(address.split())
    kept = "".join("".join(line.split()) for line in read_lines(address) if line)
    assert fold(kept.replace(",", "")) == fold(told.replace(",", ""))  # but for what cannot be seen
    assert kept.count(",") >= told.count(",")


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), max_size=3))
def test_an_address_of_up_to_three_lines_comes_back_line_by_line(lines):
    assert [line for line in read_lines("\n   ".join(lines)) if line] == [normalize("NFC", line) for line in lines]


@given(st.integers(0, 10), st.integers(1, 9))
def test_one_wrong_digit_of_an_abn_is_noticed(place, difference):
    right = "51824753556"
    wrong = (int(right[place]) + difference) % 10
    assert not is_business_number(f"{right[:place]}{wrong}{right[place + 1 :]}")


def contact(salutation, is_primary="Yes", is_deleted=None):
    return {"salutation": salutation, "is_primary": is_primary, "is_deleted": is_deleted}


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        (None, None),
        ([], None),
        ([contact("Ann", "No"), contact("Bob", None)], None),
        ([contact("Ann", "No"), contact(" Dear  Bob ")], "Dear Bob"),
        ([contact("Ann"), contact("Bob")], "Ann"),
        ([contact(None), contact("Bob")], None),
        ([contact("Ann", "Yes", "Yes"), contact("Bob", "yes", "No")], "Bob"),
        ([contact("Ann", "Yes", "Yes")], None),
    ],
    ids=["not told", "none", "no primary", "one", "two", "two, the first without", "one deleted", "all deleted"],
)
def test_the_salutation_is_that_of_the_first_primary_contact_not_deleted(contacts, expected):
    assert read_salutation(None if contacts is None else json.dumps(contacts)) == expected


def test_primary_contacts_are_counted_without_the_deleted():
    contacts = [contact("Ann"), contact("Bob", "Yes", "Yes"), contact("Cy"), contact("Di", "No")]
    assert [each["salutation"] for each in primary_contacts(json.dumps(contacts))] == ["Ann", "Cy"]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (None, None),
        ("[]", {}),
        ('[{"uuid": "G1", "name": " Ngata  family "}]', {"g1": "Ngata family"}),
        ('[{"uuid": "g1", "name": null}, {"uuid": null, "name": "x"}]', {"g1": None}),
    ],
    ids=["not told", "none", "one", "without a name, without an identifier"],
)
def test_groups_are_told_or_none_or_not_told(groups, expected):
    assert read_groups(groups) == expected


@pytest.mark.parametrize(
    ("one", "other"), [("NGA001", "nga001"), (" É-1", "é-1 "), ("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος")]
)
def test_codes_and_addresses_are_the_same_whatever_their_case_in_any_script(one, other):
    assert fold(one) == fold(other)
