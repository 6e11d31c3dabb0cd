"""What is thrown: texts that are meant to be obeyed, and right answers that were bent, cut and spliced."""

import base64
import codecs
import gzip
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st
from lxml import etree
from servers import head

NASTY: Final = (
    "\x1b]0;owned\x07",
    "\x9b31m",
    "\x1b[2J",
    "\x00",
    "\r\nBcc: all@example.com",
    "[bold red]x[/bold red]",
    "[/]",
    "[link=https://evil.example]x[/link]",
    ":smile:",
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "＝1",
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "]]>",
    "'); DROP TABLE users; --",
    '" OR 1=1 --',
    "%s%n{0}{x}",
    "$(reboot)`reboot`",
    "../../../etc/passwd",
    "\\\\host\\share",
    "file:///etc/passwd",
    "\u202e",
    "\u2066x\u2069",
    "\u2028",
    "\u2029",
    "\u0085",
    "\ufeff",
    "\u200b",
    "\u00ad",
    "e\u0301" * 40,
    "\U000e0041",
    "👩‍👩‍👧‍👦",
    "ﷺ",
    "İıßſK",
    "Ｓｍｉｔｈ",
    "null",
    "None",
    "NaN",
    "1e999",
    "true",
    "yes ",
    " Yes",
    "[]",
    "{}",
    '{"uuid": 1}',
    "a@b",
    "a@b.example\nBcc: c@d.example",
    "x" * 5_000,
    " ",
    "\n\n",
    "\u3000",
    "",
)


@cache
def texts() -> st.SearchStrategy[str]:
    """Any text, and those above, alone or in a row."""
    part = st.sampled_from(NASTY) | st.text(max_size=20) | st.characters(categories=("Cc", "Cf", "Mn", "Zs", "So"))
    return st.lists(part, max_size=3).map("".join)


def is_xml(character: str) -> bool:
    """Whether XML can hold a character at all."""
    return (
        character in "\t\n\r"
        or " " <= character <= "\ud7ff"
        or "\ue000" <= character <= "\ufffd"
        or character > "\uffff"
    )


@cache
def xml_texts() -> st.SearchStrategy[str]:
    """Texts that an answer can hold."""
    return texts().map(lambda text: "".join(filter(is_xml, text)))


# Answers: a right one, bent in its structure, then in its bytes, then on its way.


@dataclass(frozen=True)
class Bending:
    """One change, to places that are found by number, so that it fits any answer and can be made simpler."""

    kind: str
    first: int
    second: int
    text: str


def _elements(root: etree._Element) -> list[etree._Element]:
    return [each for each in root.iter() if isinstance(each.tag, str)]


def _bend(root: etree._Element, bending: Bending) -> None:
    elements = _elements(root)
    one, other = (elements[place % len(elements)] for place in (bending.first, bending.second))
    parent = one.getparent()
    match bending.kind:
        case "drop" if parent is not None:
            parent.remove(one)
        case "repeat" if parent is not None:
            parent.append(deepcopy(one))
        case "nest":
            other.append(deepcopy(one))
        case "reorder":
            one[:] = sorted(one, key=lambda each: hash((str(each.tag), bending.second)))
        case "move" if parent is not None and one not in other.iterancestors() and one is not other:
            other.append(one)
        case "rename":
            one.tag = other.tag
        case "text":
            one.text = bending.text
        case "tail":
            one.tail = bending.text
        case "append":
            one.text = (one.text or "") + bending.text
        case "swap":
            one.text, other.text = other.text, one.text
        case "empty":
            one.clear()
        case "upper" if one.text:
            one.text = one.text.upper()
        case "attribute":
            one.set("nil", bending.text)
        case "comment":
            one.insert(0, etree.Comment("x"))
        case "namespace":
            one.tag = "{urn:x}" + etree.QName(one).localname


STRUCTURE: Final = (
    *("drop", "repeat", "nest", "reorder", "move", "rename", "text", "tail", "append", "swap", "empty", "upper"),
    *("attribute", "comment", "namespace"),
)
BYTES: Final = ("flip", "cut", "insert", "double", "remove", "entity", "reference", "declaration", "prefix", "suffix")
ENCODINGS: Final = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "utf-7", "utf-8-sig", "cp037")


@cache
def bendings(kinds: tuple[str, ...], most: int) -> st.SearchStrategy[list[Bending]]:
    place = st.integers(0, 2**16)
    return st.lists(st.builds(Bending, st.sampled_from(kinds), place, place, xml_texts()), max_size=most)


def _spoil(content: bytes, bending: Bending) -> bytes:
    place = bending.first * 7919 % (len(content) + 1)
    word = bending.text.encode("utf-8", "surrogatepass")
    match bending.kind:
        case "flip":
            return content[:place] + bytes([bending.second % 256]) + content[place + 1 :]
        case "cut":
            return content[:place]
        case "insert":
            return content[:place] + word + content[place:]
        case "double":
            return content + content
        case "remove":
            return content[:place] + content[place + bending.second % 40 :]
        case "entity":
            return b'<!DOCTYPE Response [<!ENTITY x "y">]>' + content.replace(b"</Name>", b"&x;</Name>", 1)
        case "reference":
            number = (0, 0x1B, 0x9B, 0xD800, 0x110000, 0xFFFE, 0x202E, 0x85)[bending.second % 8]
            return content[:place] + f"&#{number};".encode() + content[place:]
        case "declaration":
            name = ENCODINGS[bending.second % len(ENCODINGS)]
            return f'<?xml version="1.0" encoding="{name}"?>'.encode() + content
        case "prefix":
            return word + content
        case _:
            return content + word


def _recode(content: bytes, encoding: str | None) -> bytes:
    return content.decode("utf-8", "replace").encode(encoding, "replace") if encoding else content


def _send(content: bytes, way: str, number: int) -> bytes:
    """An answer on its way: rightly, or not."""
    packed = gzip.compress(content, 1)
    some = number % (len(packed) + 1)
    match way:
        case "gzip":
            return head("200 OK", "Content-Encoding: gzip") + packed
        case "gzip in gzip":
            return head("200 OK", "Content-Encoding: gzip") + gzip.compress(packed, 1)
        case "gzip cut":
            return head("200 OK", "Content-Encoding: gzip") + packed[:some]
        case "gzip damaged":
            return head("200 OK", "Content-Encoding: gzip") + packed[:some] + b"\xff" + packed[some + 1 :]
        case "gzip and more":
            return head("200 OK", "Content-Encoding: gzip") + packed + packed
        case "gzip that is none":
            return head("200 OK", "Content-Encoding: gzip") + content
        case "gzip unsaid":
            return head() + packed
        case "another packing":
            return head("200 OK", "Content-Encoding: br") + content
        case "another kind":
            kinds = ("application/json", "image/png", "text/html", "", "text/xml; charset=utf-16", "x" * 3000)
            return head(kind=kinds[number % len(kinds)]) + content
        case "too long":
            return head("200 OK", f"Content-Length: {len(content) + 1 + number}") + content
        case "too short":
            return head("200 OK", f"Content-Length: {max(len(content) - 1 - number % 50, 0)}") + content
        case "chunks":
            sizes = (f"{len(content):x}", "-1", "-5", "", "zz", "fffffffffffffffff", f"{len(content):x};x=y")
            size = sizes[number % len(sizes)]
            return head("200 OK", "Transfer-Encoding: chunked") + f"{size}\r\n".encode() + content + b"\r\n0\r\n\r\n"
        case "headers":
            values = ("9" * 5000, "-1", "1e9", "٣", "\x1b[31m", "Fri, 31 Dec 9999 23:59:59 -2300", "", "0" * 400)
            names = ("X-DayLimit-Remaining", "Date", "Retry-After", "Content-Length", "Xero-Correlation-Id")
            name, value = names[number % len(names)], values[number // len(names) % len(values)]
            line = f"{name}: {value}".encode()
            return head().replace(b"Connection", line + b"\r\nConnection", 1) + content
        case "status":
            statuses = (
                "204 No",
                "201 Made",
                "206 Part",
                "301 There",
                "401 No",
                "403 No",
                "429 No",
                "999 ?",
                "20 ?",
                "x",
            )
            return head(statuses[number % len(statuses)], "Location: https://evil.example/") + content
        case _:
            return head() + content


WAYS: Final = (
    *("plain", "plain", "plain", "gzip", "gzip in gzip", "gzip cut", "gzip damaged", "gzip and more"),
    *("gzip that is none", "gzip unsaid", "another packing", "another kind", "too long", "too short", "chunks"),
    *("headers", "status"),
)


@cache
def bent_documents(right: bytes) -> st.SearchStrategy[bytes]:
    """A right answer, bent in its structure and in its bytes."""

    def build(structure: list[Bending], spoilt: list[Bending], encoding: str | None) -> bytes:
        root = etree.fromstring(right)
        for bending in structure:
            _bend(root, bending)
        content = _recode(etree.tostring(root, encoding="utf-8"), encoding)
        for bending in spoilt:
            content = _spoil(content, bending)
        return content

    encodings = st.just(None) | st.sampled_from(ENCODINGS)
    few: Callable[[int], st.SearchStrategy[list[Bending]]] = lambda most: bendings(BYTES, most)  # noqa: E731 - short
    # Half of them are bent in their structure alone: what is no XML any more is recognised early.
    return st.builds(build, bendings(STRUCTURE, 8), st.just([]), st.none()) | st.builds(
        build, bendings(STRUCTURE, 4), few(3), encodings
    )


@cache
def bent_answers(right: bytes) -> st.SearchStrategy[bytes]:
    """Everything that goes over the line in place of the right answer."""
    return st.builds(_send, bent_documents(right), st.sampled_from(WAYS), st.integers(0, 2**16))


# Other things that people or servers say.


@cache
def json_values() -> st.SearchStrategy[Any]:
    leaf = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from([10**400, -1, 0, 2**63, 1e308])
        | st.floats()
        | texts()
    )
    return st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3))


@cache
def web_tokens() -> st.SearchStrategy[str]:
    """Access tokens: JSON web tokens whose claims may be anything, and other texts."""
    claims = st.fixed_dictionaries({}, optional={"scope": json_values(), "xero_userid": json_values()}) | json_values()
    packed = claims.map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("="))
    return packed.map(lambda payload: f"e30.{payload}.c2ln") | st.text("ab.-_~", max_size=20) | texts()


@cache
def token_bodies() -> st.SearchStrategy[bytes]:
    """What a token endpoint may say."""
    grant = st.fixed_dictionaries(
        {},
        optional={
            "access_token": web_tokens() | json_values(),
            "refresh_token": st.text("abc", min_size=1) | json_values(),
            "expires_in": st.integers(1, 4000) | json_values(),
            "scope": st.just("offline_access") | json_values(),
            "token_type": json_values(),
            "expires_at": json_values(),
            "error": json_values() | st.sampled_from(["invalid_grant", "invalid_client", "invalid_scope"]),
        },
    )
    good = st.fixed_dictionaries({"access_token": web_tokens(), "refresh_token": st.text("abc", min_size=1)})
    said = (grant | good | json_values()).map(lambda value: json.dumps(value).encode())
    marked = said.map(lambda body: codecs.BOM_UTF8 + body)
    wide = st.tuples(good, st.sampled_from(["utf-16", "utf-16-le", "utf-32"])).map(
        lambda drawn: json.dumps(drawn[0]).encode(drawn[1])
    )
    deep = st.integers(1, 100_000).map(lambda depth: b'{"a":' * depth)
    return (
        said
        | marked
        | wide
        | deep
        | st.binary(max_size=200)
        | st.text().map(lambda text: text.encode("utf-16", "surrogatepass"))
    )


@cache
def addresses() -> st.SearchStrategy[str]:
    """What a person may paste in place of the address that a sign-in ends on."""
    part = st.sampled_from(
        [
            "http://localhost:8742/callback",
            "?",
            "code=x",
            "&",
            "state=S",
            "error=access_denied",
            "#",
            "[",
            "]",
            "http://[",
        ]
    )
    lone = st.sampled_from(["\udcff", "%ff", "%00", "\x00", "；", "℀"])
    return st.lists(part | lone | st.text(max_size=10), max_size=8).map("".join)


@cache
def settings_texts() -> st.SearchStrategy[str]:
    """What may stand in config.toml."""
    from xpmsync.config import SECTIONS, SETTINGS  # noqa: PLC0415 - so that the other texts need no settings

    keys = st.sampled_from([*(setting.key for setting in SETTINGS.values()), "password", "x"])
    written = texts().map(json.dumps) | st.sampled_from(
        ["1", "-1", "1e400", "nan", "true", "[]", "{}", '["offline_access"]', "1979-05-27", "0x1F", "9" * 5000, "''"]
    )
    line = st.builds("{} = {}".format, keys, written | texts()) | texts()
    header = st.sampled_from([*SECTIONS, "x", "xero.x"]).map("[{}]".format) | st.just("[[smtp]]")
    deep = st.integers(1, 3000).map(lambda depth: "x = " + "[" * depth + "]" * depth)
    return st.lists(header | line | line | line, max_size=8).map("\n".join) | deep


WORDS: Final = (
    *("connect", "configure", "sync", "errors", "history", "notify", "status", "doctor", "disconnect", "admin"),
    *("client", "user", "office", "list", "show", "set", "add", "link", "unlink", "remove", "clear", "history"),
    *("--full", "--dry-run", "--json", "--csv", "--since", "--run", "--entity", "--code", "--all", "--strict"),
    *("--tenant", "--no-browser", "--wait", "--office", "--office-name", "--default-partner", "--notify", "--later"),
    *("--smtp-host", "--smtp-port", "--test", "--revoke", "--status", "--role", "--partner", "--email", "--help"),
    *("-h", "--version", "--", "-", "24h", "7d", "2026-11-01", "0001-01-01", "9999-12-31T23:59:59-12:00", "1", "0"),
    *("99999999999999999999", "-1", "client", "MAIN", "nan", "inf", "9999w", "1e5"),
)


@cache
def command_lines() -> st.SearchStrategy[list[str]]:
    """Any arguments, as a shell hands them over: no NUL, and bytes that are no text as lone surrogates."""
    word = st.sampled_from(WORDS) | texts() | st.text(st.sampled_from("\udc80\udcffa="), max_size=4)
    first = st.sampled_from(WORDS[:10])
    return st.builds(lambda command, rest: [command, *rest], first, st.lists(word, max_size=6)).map(
        lambda words: [word.replace("\x00", "") for word in words]
    )
