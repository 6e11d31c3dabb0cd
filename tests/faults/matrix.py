"""What becomes of a run that meets a fault: every fault of the sandbox at every request of a run, as data.

The tests play it, and the table in docs/troubles.md is made from it.
In the texts “…” stands for what differs from case to case: a number, a name, a word of Xero's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from xpmsync.sandbox import FAULTS

Email = Literal["at once", "after three hours", "none"]
Left = Literal["as before", "as without the fault", "as told", "all but one client"]
Place = Literal["first", "middle", "last"]

LISTS = ("staff", "groups", "clients", "modified")
"""The lists of a run: the clients come whole or as those that were modified."""
API = (*LISTS, "rival")
CONNECT = ("exchange", "connections")
"""What `connect` asks beside the staff list; the code of the browser serves once, so it is sent once."""
ALL: tuple[Place, ...] = ("first", "middle", "last")

WAIT = "Nothing needs to be done: the next run tries again. If it lasts, look at https://status.xero.com."
CHECK = (
    "Check this computer's internet connection, its firewall and proxy. If all is well here, look at"
    " https://status.xero.com. The next run tries again."
)
REPORT = "This is for the makers of xpmsync to put right: please report it together with the log."
BY_KEYRING = "(It says what to do about the keyring of this machine.)"


@dataclass(frozen=True)
class Outcome:
    """How a run ends: what a person reads, and what it leaves behind."""

    exit_code: int
    happened: str
    remedy: str
    tries: int
    email: Email
    left: Left = "as before"


@dataclass(frozen=True)
class Row:
    """Faults that end alike at these requests."""

    faults: tuple[str, ...]
    requests: tuple[str, ...]
    outcome: Outcome
    tries: int | None = None
    """Where it is not the outcome's."""
    places: tuple[Place, ...] = ALL


@dataclass(frozen=True)
class Case:
    """One fault at one request, in one place of its answer where that makes a difference."""

    fault: str
    request: str
    place: Place | None
    outcome: Outcome
    tries: int

    @property
    def options(self) -> dict[str, float]:
        """How the fault is started. The keyring is asked for secrets, to store the intent, to store the new token."""
        if self.request == "keyring":
            return {"after": {"first": 0, "middle": 2, "last": 4}[self.place or "first"]}
        if self.place:
            spoilt = FAULTS[self.fault].change is not None and self.fault != "truncated-xml"
            return {"at": {"first": 0.0, "middle": 0.5, "last": 1.0 if spoilt else 0.999}[self.place]}
        return {
            "slow": {"delay_seconds": 0.05, "drip_bytes": 5_000, "drip_seconds": 0.001},
            "thin-list": {"keep": 2},
        }.get(self.fault, {})


def _passing(happened: str, remedy: str = WAIT, *, tries: int = 5) -> Outcome:
    return Outcome(6, happened, remedy, tries, "after three hours")


def _lasting(exit_code: int, happened: str, remedy: str, *, tries: int = 1) -> Outcome:
    return Outcome(exit_code, happened, remedy, tries, "at once")


DONE = Outcome(0, "", "", 1, "none", "as without the fault")
BELIEVED = Outcome(0, "", "", 1, "none", "as told")
NOT_ASKED = Outcome(0, "", "", 5, "none", "all but one client")

LINE_DOWN = _passing("The connection to … broke: ….", CHECK)
CUT_OFF = _passing("Xero's answer was cut off on its way.", "Nothing needs to be done: the next run tries again.")
WEB_PAGE = _passing(
    "Something between here and … has answered with a web page.",
    "Check the proxy and the firewall of this network, and whether it asks for a sign-in on a web page of its own. If"
    " all is well here, look at https://status.xero.com. The next run tries again.",
)
FIREWALL = _passing("A firewall in front of Xero has turned the call away.")
XERO_ILL = _passing("Xero has a problem of its own (status …).")
LESS_OFTEN = _passing("Xero asks to call less often.")
DAY_USED_UP = _passing(
    "Xero's limit of calls a day is used up, by all programs that are connected to this practice together.",
    "Nothing needs to be done: the sync goes on when Xero counts a new day. If it happens often, look for another"
    " program that calls Xero.",
    tries=1,
)
CONNECTIONS_DAMAGED = _passing("Xero's list of connections arrived damaged.")
SIGN_IN_ILL = _passing("Xero's sign-in server has a problem of its own (status …).", tries=3)
SIGN_IN_LESS_OFTEN = _passing("Xero's sign-in server asks to call less often.", tries=3)
SIGN_IN_AWAY = _passing("Xero's sign-in server has turned the call away (status …).", tries=3)
SIGN_IN_ODD = _passing("Xero's sign-in server has answered with something that is no sign-in.", tries=3)

GRANT_DEAD = _lasting(
    4,
    "Xero no longer accepts this sign-in: it was ended at Xero, or not used for … days, or this machine stopped in the"
    " middle of a refresh for longer than Xero waits.",
    "Run: xpmsync connect. Any user of the practice who may connect third-party add-ons can do it.",
    tries=2,  # a refused token is looked for again in the keyring, and the one before it is tried
)
CODE_DEAD = _lasting(
    4,
    "Xero does not accept what the browser brought back; it serves once, for five minutes.",
    "Run again: xpmsync connect",
)
JUST_GIVEN = _lasting(4, "Xero does not accept the sign-in that it has just given.", "Try again. Run: xpmsync connect")
SCOPE_MISSING = _lasting(
    4,
    "Xero has not granted this sign-in what the sync needs (a scope is missing).",
    "Remove scopes from config.toml if it is there, then run: xpmsync connect",
)
APP_WRONG = _lasting(
    5,
    "Xero does not accept this app's client id or client secret (…).",
    "Compare client_id in config.toml with the app's page at https://developer.xero.com/app/manage, then run: xpmsync"
    " connect; for an app with a client secret: xpmsync connect --client-secret-stdin",
)
WAY_REFUSED = _lasting(7, "Xero does not accept the way xpmsync signs in (…). The sign-in itself is kept.", REPORT)
TOKEN_REFUSED = _lasting(
    7,
    "Xero does not accept the sign-in although it has just been renewed.",
    "Wait for the next run; if it lasts, run: xpmsync connect",
    tries=2,
)
ACCESS_REFUSED = _lasting(
    7,
    "Xero refuses access to this practice: the connection was ended, or the person who connected has left or has lost a"
    " permission.",
    "In Practice Manager, under Business > Settings > Staff > that person > Permissions, give them XPM administration"
    " privileges and the permission “Connect third-party add-ons” (in older practices: “Authorise … Party Full"
    " Access”); or let somebody who has both run: xpmsync connect",
)
ERROR_REPORTED = _lasting(
    7,
    "Xero Practice Manager reports an error of its own. It says: “…”",
    "If the next runs say the same, look in Practice Manager for what it names, or ask Xero's support.",
)
DAMAGED = _lasting(
    7,
    "Xero's answer is damaged: it is not the XML that Practice Manager sends.",
    "If the next runs say the same, tell Xero's support, with the details in the log.",
)
NOT_PRACTICE_MANAGER = _lasting(
    7,
    "Xero's answer is not one of Practice Manager's.",
    "If the next runs say the same, remove api_url from config.toml if it is there.",
)
SUSPICIOUS = _lasting(
    8,
    "The safety limits stopped the sync: …",
    "List the affected records: xpmsync sync --accept N --dry-run. If XPM is correct, run: xpmsync sync --accept N. "
    "If not, correct XPM; the next full sync picks it up.",
)
KEYRING_LOCKED = _lasting(4, "The keyring is locked.", BY_KEYRING, tries=0)
KEYRING_MISSING = _lasting(4, "There is no keyring that xpmsync can reach.", BY_KEYRING, tries=0)
KEYRING_BROKEN = _lasting(4, "The keyring does not work.", BY_KEYRING, tries=0)
KEYRING_FULL = _lasting(4, "The keyring did not take what xpmsync wanted to store.", BY_KEYRING, tries=0)
KEYRING_SILENT = _lasting(4, "The keyring has not answered for … seconds; it may be locked.", BY_KEYRING, tries=0)
KEYRING_FORGETS = _lasting(4, "The keyring did not keep what xpmsync stored in it.", BY_KEYRING, tries=0)
NOT_STORED = _lasting(
    4,
    "Xero has renewed the sign-in, and the keyring did not take it. …",
    "… Xero accepts the earlier sign-in until … (… minutes): until then the next run puts this right by itself; later,"
    " run: xpmsync connect",
)

LINE = ("connection-reset", "answer-lost", "cut", "cut-chunked")
LIMITS = ("rate-limit-minute", "rate-limit-concurrent", "rate-limit-appminute")
ERRORS = ("error-500", "error-502", "error-503", "error-504")
REFUSALS = ("token-rejected", "insufficient-scope", "user-revoked")
SPOILT = ("malformed-xml", "wrong-encoding", "control-character", "billion-laughs")

MATRIX: tuple[Row, ...] = (
    # The line
    Row(LINE, (*LISTS, "connections"), LINE_DOWN),
    Row(LINE, ("token",), LINE_DOWN, tries=3),
    Row(LINE, ("exchange",), LINE_DOWN, tries=1),
    Row(("cut-without-length", "truncated-xml"), LISTS, CUT_OFF),
    Row(("cut-without-length",), ("connections",), CONNECTIONS_DAMAGED),
    Row(("cut-without-length", "status-error"), ("token",), SIGN_IN_ODD),
    Row(("cut-without-length", "status-error"), ("exchange",), SIGN_IN_ODD, tries=1),
    Row(("html-page",), ("token",), WEB_PAGE, tries=3),
    Row(("html-page",), ("exchange",), WEB_PAGE, tries=1),
    Row(("slow",), ("token", *API, *CONNECT), DONE),
    # Xero's limits
    Row(LIMITS, (*LISTS, "connections"), LESS_OFTEN),
    Row(LIMITS, ("token",), SIGN_IN_LESS_OFTEN),
    Row((*LIMITS, "rate-limit-day"), ("exchange",), SIGN_IN_LESS_OFTEN, tries=1),
    Row(("rate-limit-day",), ("token",), SIGN_IN_LESS_OFTEN, tries=1),
    Row(("rate-limit-day",), (*LISTS, "connections"), DAY_USED_UP),
    # Trouble at Xero
    Row(ERRORS, (*LISTS, "connections"), XERO_ILL),
    Row(ERRORS, ("token",), SIGN_IN_ILL),
    Row(ERRORS, ("exchange",), SIGN_IN_ILL, tries=1),
    Row(("firewall",), (*LISTS, "connections"), FIREWALL),
    Row(("firewall", *REFUSALS), ("token",), SIGN_IN_AWAY),
    Row(("firewall", *REFUSALS), ("exchange",), SIGN_IN_AWAY, tries=1),
    Row(("html-page",), (*LISTS, "connections"), WEB_PAGE),
    Row(("status-error",), LISTS, ERROR_REPORTED),
    Row(("status-error",), ("connections",), CONNECTIONS_DAMAGED),
    # Access
    Row(("token-rejected",), LISTS, TOKEN_REFUSED),
    Row(("token-rejected", "token-expired"), ("connections",), JUST_GIVEN),
    Row(("token-expired",), API, DONE, tries=2),
    Row(("insufficient-scope",), (*LISTS, "connections"), SCOPE_MISSING),
    Row(("user-revoked",), (*LISTS, "connections"), ACCESS_REFUSED),
    Row(("invalid-grant",), ("token",), GRANT_DEAD),
    Row(("invalid-grant",), ("exchange",), CODE_DEAD),
    Row(("invalid-client", "unauthorized-client"), ("token", "exchange"), APP_WRONG),
    Row(("unsupported-grant-type", "invalid-scope"), ("token", "exchange"), WAY_REFUSED),
    # Content
    Row(("empty-list", "thin-list"), ("staff", "clients"), SUSPICIOUS),
    Row(("empty-list", "thin-list"), ("groups", "rival"), DONE),
    Row(("empty-list", "thin-list", "no-tax-block", "no-group-ids"), ("modified",), BELIEVED),
    Row(("no-tax-block", "no-group-ids"), ("clients",), BELIEVED),
    Row(("no-tax-block", "no-group-ids"), ("staff", "groups", "rival"), DONE),
    Row(SPOILT, LISTS, DAMAGED),
    Row(("external-entity",), LISTS, NOT_PRACTICE_MANAGER),
    Row(("foreign-next-page",), API, DONE),
    # The one call about one client is a help and no condition
    Row(
        (*LINE, *LIMITS, *ERRORS, "cut-without-length", "truncated-xml", "firewall", "html-page"), ("rival",), NOT_ASKED
    ),
    Row(("rate-limit-day", "status-error", "user-revoked", "insufficient-scope"), ("rival",), NOT_ASKED, tries=1),
    Row((*SPOILT, "external-entity"), ("rival",), NOT_ASKED, tries=1),
    Row(("token-rejected",), ("rival",), NOT_ASKED, tries=2),
    # The keyring: when it is asked for the secrets, for the intent, and for the new token
    Row(("keyring-locked",), ("keyring",), KEYRING_LOCKED, places=("first", "middle")),
    Row(("keyring-missing", "keyring-init-error"), ("keyring",), KEYRING_MISSING, places=("first", "middle")),
    Row(("keyring-runtime-error",), ("keyring",), KEYRING_BROKEN, places=("first", "middle")),
    Row(("keyring-full",), ("keyring",), KEYRING_FULL, places=("first", "middle")),
    Row(("keyring-hangs",), ("keyring",), KEYRING_SILENT, places=("first", "middle")),
    Row(("keyring-forgets",), ("keyring",), KEYRING_FORGETS, places=("first", "middle")),
    Row(tuple(name for name in FAULTS if name.startswith("keyring-")), ("keyring",), NOT_STORED, places=("last",)),
)


def makes_sense(fault: str, request: str) -> bool:
    """Whether this fault can meet this request."""
    kind = FAULTS[fault]
    if "keyring" in (kind.where, request):
        return kind.where == request
    if request in ("token", "exchange"):
        return kind.change is None and not kind.ends_token  # no XML, and no access token yet
    return kind.where != "token" and not (kind.change and request == "connections")


def list_cases() -> Iterator[Case]:
    """Everything that is played."""
    for row in MATRIX:
        for fault in row.faults:
            has_places = "at" in FAULTS[fault].options or row.requests == ("keyring",)
            for request in row.requests:
                for place in row.places if has_places else (None,):
                    tries = row.outcome.tries if row.tries is None else row.tries
                    yield Case(fault, request, place, row.outcome, tries)


def render_outcomes() -> str:
    """How a run can end, as a table of Markdown."""
    outcomes = dict.fromkeys(row.outcome for row in MATRIX if row.outcome.exit_code)
    lines = ["| what you read | exit code | tries | e-mail | what to do |\n", "|---|---|---|---|---|\n"]
    for outcome in outcomes:
        tries = sorted({case.tries for case in list_cases() if case.outcome == outcome})
        email = {"at once": "at once", "after three hours": "after three hours without a success", "none": "none"}
        cells = [
            f"“{outcome.happened}”",
            str(outcome.exit_code),
            " or ".join(map(str, tries)) if tries != [0] else "–",
            email[outcome.email],
            outcome.remedy,
        ]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)
