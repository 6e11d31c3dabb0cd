"""What people type, and what goes wrong: few values, so that they meet, and odd ones, so that they meet in disguise."""

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st
from model import Limits

from xpmsync.sandbox.switches import describe_switches

HOUR_SECONDS = 3600
MOST_STAFF, MOST_CLIENTS, MOST_GROUPS, MOST_OFFICES = 8, 15, 4, 3

STAFF = {
    "ann@firm.example": "Ann Lee",
    "bob@firm.example": "Bob Ray",
    "cy@firm.example": "Cy  Dee",
    "élise@firm.example": "Élise de la Roy",
    "dee@firm.example": "Ann Lee",
}
"""Whom a practice begins with."""


def mostly(good: Sequence[str | None], odd: Sequence[str | None]) -> st.SearchStrategy[str | None]:
    return st.sampled_from([*good] * max(1, 3 * len(odd) // len(good)) + [*odd])


CODES = mostly(["A1", "B2", "C3", "D4", "ÄB", "SS", None], ["a1 ", " äb", "ß", "", " ", "A\u200b1", "a\u0308B"])
NUMBERS = mostly(["51 824 753 556", "51824753556", "53004085616", None], ["53 004 085 617", "9429041535110", "n/a", ""])
PERSONS = mostly(["Ann Lee", "Bob Ray", "Élise de la Roy"], [" ANN  LEE", "Bob\tRay", "Cy", "", None, "\u200b"])
ADDRESSES = mostly(
    [*STAFF, "fay@firm.example"],
    [
        *("ANN@firm.example ", "ÉLISE@firm.example", "cy@firm.example, bob@firm.example", "cy", "", None, " "),
        *("e\u0301lise@firm.example", "\u200bbob@firm.example", "mailto:cy@firm.example", "dee@firm.example."),
    ],
)
GOOD_ADDRESSES = st.sampled_from([*STAFF, "FAY@firm.example", "ÉLISE@firm.example"])
NAMES = mostly(
    ["Ngata Ltd", "Kōwhai & <Sons>", "Lee"],
    [" NGATA  LTD", "Lee\u00a0Trust", "", None, "\n ", "\u200b \u3164", "Le\u200de"],
)
TEXTS = mostly(["1", "É & <é>"], [" 2\t", "", None, " \n"])
PLACES = mostly(
    ["1 High St", "Level 3\n    Kauri House\n\n  12 Queen St \n Rear\r\n Door"], ["PO Box 7\n", "", None, "\n \n"]
)
GROUP_NAMES = mostly(["Farms", "Whānau  Trusts"], [" Farms ", "", " "])
SALUTATIONS = mostly(["Ann"], [" Dr  Lee", "", None])
FLAGS = mostly(["Yes", "No"], ["yes", "", None])
ELEMENTS: Mapping[str, st.SearchStrategy[str | None]] = {
    **dict.fromkeys(("name", "first_name", "last_name", "title", "business_structure"), NAMES),
    **dict.fromkeys(("phone", "fax", "city", "region", "post_code"), TEXTS),
    **dict.fromkeys(("postal_city", "postal_region", "postal_post_code"), TEXTS),
    **dict.fromkeys(("address", "postal_address"), PLACES),
    "email": ADDRESSES,
    "client_code": CODES,
    "business_number": NUMBERS,
}
STRANGERS = {
    "a stranger": ("99999999-0000-4000-8000-000000000000", "Sid Stranger"),
    "somebody without identifier": ("", "Sid"),
    "nobody": ("", " "),
}
FORMERS = ("deleted", "archived", "vanished", "kept")

WHICH = st.integers(0, MOST_CLIENTS - 1)
EDITS = st.lists(st.sampled_from([*ELEMENTS]), min_size=1, max_size=4, unique=True).flatmap(
    lambda elements: st.fixed_dictionaries({element: ELEMENTS[element] for element in elements})
)
PERSON = st.sampled_from([*range(MOST_STAFF), *range(MOST_STAFF), "shouted", *STRANGERS, None, None])
PEOPLE = st.fixed_dictionaries({}, optional={"account_manager": PERSON, "job_manager": PERSON})
CONTACT = st.fixed_dictionaries({"salutation": SALUTATIONS, "is_primary": FLAGS, "is_deleted": FLAGS})
CONTACTS = st.none() | st.lists(CONTACT, max_size=3)
GROUPS = st.none() | st.lists(st.integers(0, MOST_GROUPS - 1), max_size=3, unique=True)
OUTAGES = st.sampled_from([1, HOUR_SECONDS, 6 * HOUR_SECONDS, 25 * HOUR_SECONDS, 40 * 24 * HOUR_SECONDS]) | st.integers(
    0, 24 * HOUR_SECONDS
)
OPTIONS = st.sampled_from([{}, {}, {}, {"full": True}, *({"which_stop": which} for which in range(4))])
"""`which_stop`: the number of a sync is accepted, the last that was stopped at first, some that were not at the end."""
FILLINGS: Mapping[str, Mapping[str, object]] = {
    "phone": {"phone": "1"},
    "salutation": {"contacts": [{"salutation": "Ann", "is_primary": "Yes"}]},
    "is_primary": {"contacts": [{"salutation": "Ann", "is_primary": "Yes"}]},
    "unreadable number": {"business_number": "51824753556"},
    "unknown manager": {"job_manager": 0},
    "nameless group": {},
}
"""What all clients have before it goes."""
MANY = st.sampled_from(["archive_client", "delete_client", "name", "client_code", "address", *FILLINGS])
"""What happens to all clients at once: they are closed, or one element is emptied or left out, or says nothing."""

WORDED_SWITCHES = {
    "replayed_refresh": ("new", "same"),
    "token_error_status": (400, 401),
    "paged_list_last_next": ("absent", "empty"),
}
NEEDED_SWITCH = "pkce_practice_scopes"
"""Without it an app that has no secret cannot connect at all."""
SWITCHES = st.fixed_dictionaries(
    {
        name: st.sampled_from(WORDED_SWITCHES.get(name, (False, True)))
        for name, _, _, is_unknown in describe_switches()
        if is_unknown and name != NEEDED_SWITCH
    }
    | {"empty_elements": st.sampled_from(["mixed", "pair", "self-closing"])}
    | dict.fromkeys(("uuid_last", "gzip"), st.booleans())
)
LIMITS = st.sampled_from([Limits(10, 10, 10, 3, 10, 10), Limits(10, 3, 10, 2, 10, 3), Limits(50, 1, 50, 1, 50, 1)])

LISTS = ("staff.api/list", "clientgroup.api/list", "client.api/list")
API_TROUBLES = (
    *("connection-reset", "answer-lost", "cut", "cut-without-length", "cut-chunked"),
    *("rate-limit-minute", "rate-limit-day", "rate-limit-concurrent", "rate-limit-appminute"),
    *("error-500", "error-502", "error-503", "error-504", "firewall", "html-page", "status-error"),
    *("token-rejected", "token-expired", "insufficient-scope", "user-revoked"),
    *("malformed-xml", "truncated-xml", "wrong-encoding", "control-character", "external-entity", "billion-laughs"),
)
SIGN_IN_TROUBLES = (
    *("invalid-grant", "invalid-client", "unauthorized-client", "unsupported-grant-type", "invalid-scope"),
    *("keyring-locked", "keyring-missing", "keyring-init-error", "keyring-runtime-error", "keyring-full"),
)
TROUBLES = st.sampled_from(
    [*((fault, path) for fault in API_TROUBLES for path in LISTS), *((fault, None) for fault in SIGN_IN_TROUBLES)]
)
GLITCHES = [
    ("empty-list", {}),
    ("thin-list", {"keep": 1}),
    ("thin-list", {"keep": 5}),
    ("no-tax-block", {}),
    ("no-group-ids", {}),
]
