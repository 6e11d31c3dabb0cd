"""How the text of XPM's elements becomes the values of Active: one small function for each way of reading.

Every reader takes the texts of its elements, None where an element is absent or empty, and gives a value or None.
Knows nothing of where the texts come from and where the values go.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from xpmsync.text import clean, is_visible

ADDRESS_LINES: Final = 3
ABN_DIGITS: Final = 11
NZBN_DIGITS: Final = 13
NZBN_START: Final = "94"
"""An NZBN is a GS1 number, and those of New Zealand begin so."""

_EMAIL_ADDRESS: Final = re.compile(r'[^\s@,;:<>()\[\]\\"]+@{0}(\.{0})*'.format(r'[^\s@,;:<>()\[\]\\".]+'))
_NO_DIGIT: Final = re.compile(r"[^0-9]+")


def read_text(text: str | None) -> str | None:
    """Read a text: trimmed, in NFC, without format characters; nothing but white space is not set."""
    return (clean(text) or None) if text else None


def read_name(text: str | None) -> str | None:
    """Read a name: as a text, inner runs of white space folded into one space; words that show nothing are dropped."""
    if not text:
        return None
    words = text.split() if text.isascii() else filter(is_visible, clean(text).split())
    return " ".join(words) or None


def read_given_name(name: str | None) -> str | None:
    """The text before the first space; a name of one word is the first name, since Active asks for one."""
    words = read_name(name)
    return words.partition(" ")[0] if words else None


def read_family_name(name: str | None) -> str | None:
    """Everything after the first space."""
    words = read_name(name)
    return (words.partition(" ")[2] or None) if words else None


def read_legal_name(name: str | None, first_name: str | None, last_name: str | None) -> str | None:
    """The client's name, or where that is empty the first and last names of the person."""
    return read_name(name) or read_name(f"{first_name or ''} {last_name or ''}")


def read_identity(text: str | None) -> str | None:
    """Read a UUID: in lower case."""
    return (text.strip().lower() or None) if text else None


def read_address_line(number: int) -> Callable[[str | None], str | None]:
    """A reader of line `number`, from 1, of an address: one text of several lines, indented.

    Empty lines do not count. More lines than Active has are joined to the last one with a comma: nothing is dropped.
    """

    def read(address: str | None) -> str | None:
        if not address:
            return None
        lines = _split_address(address)
        if number == ADDRESS_LINES:
            return ", ".join(lines[number - 1 :]) or None
        return lines[number - 1] if len(lines) >= number else None

    return read


@lru_cache(maxsize=2)  # the three lines of one address are read in turn
def _split_address(address: str) -> tuple[str, ...]:
    return tuple(filter(None, map(clean, address.splitlines())))


def read_business_number(text: str | None) -> str | None:
    """The digits of an ABN (11) or an NZBN (13); anything else cannot be one and is not set."""
    digits = _NO_DIGIT.sub("", text) if text else ""
    return digits if len(digits) in (ABN_DIGITS, NZBN_DIGITS) else None


def read_salutation(contacts: str | None) -> str | None:
    """The salutation of the primary contact; deleted contacts do not count, and the first of several primaries wins."""
    primaries = primary_contacts(contacts)
    return read_name(primaries[0]["salutation"]) if primaries else None


@lru_cache(maxsize=1)  # one client's salutation is read and checked in turn
def primary_contacts(contacts: str | None) -> tuple[dict[str, str | None], ...]:
    """The contacts marked as primary and not deleted, from the mirror's JSON text."""
    if not contacts or contacts == "[]":
        return ()
    return tuple(
        contact
        for contact in json.loads(contacts)
        if is_yes(contact["is_primary"]) and not is_yes(contact["is_deleted"])
    )


def read_groups(groups: str | None) -> dict[str, str | None] | None:
    """The groups a client is in, UUID to name, from the mirror's JSON text; None where XPM does not tell."""
    if groups is None:
        return None
    return {uuid: name for uuid, name in _load_groups(groups) if uuid}


def find_groups_without_id(groups: str | None) -> list[str | None]:
    """The names of the groups a client is in that XPM sends without an identifier."""
    return [name for uuid, name in _load_groups(groups or "[]") if uuid is None]


@lru_cache(maxsize=1)  # one client's groups are read and checked in turn
def _load_groups(groups: str) -> tuple[tuple[str | None, str | None], ...]:
    if groups == "[]":
        return ()
    return tuple((read_identity(group["uuid"]), read_name(group["name"])) for group in json.loads(groups))


def is_yes(text: str | None) -> bool:
    """XPM writes the words Yes and No (recorded)."""
    return text is not None and text.strip().lower() in ("yes", "true")


def is_email_address(text: str) -> bool:
    """Whether a text can be one email address: a name, an at sign, and the names of a domain with dots between them.

    No white space, no list of several, nothing before it such as “mailto:”.
    """
    return _EMAIL_ADDRESS.fullmatch(text) is not None


def is_business_number(digits: str) -> bool:
    """Whether the check digits of an ABN, or of an NZBN, hold."""
    from stdnum import ean  # noqa: PLC0415 - slow to load, and most commands read no number
    from stdnum.au import abn  # noqa: PLC0415 - as above

    if len(digits) == ABN_DIGITS:
        return abn.is_valid(digits)
    return digits.startswith(NZBN_START) and ean.is_valid(digits)
