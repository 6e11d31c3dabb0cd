"""The questions of ``xpmsync configure``: an answer is an option's, or a person's, or the one that holds already.

Each passes the same check, whichever way it comes. Writes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from xpmsync.cli.console import open_console, print_choices, print_table, print_text
from xpmsync.cli.formatting import ask, confirm
from xpmsync.config import SECURITIES, USUAL_PORTS, check_setting, check_text
from xpmsync.errors import InvalidRequest
from xpmsync.records import User
from xpmsync.text import fold, suggest

SHOWN_USERS: Final = 10
NONE: Final = ("", "-")
"""How somebody says that there is none: no user name, no default partner."""

FLAGS: Final[Mapping[str, str]] = {
    "sync.name": "--sync-name",
    "sync.tenant_id": "--tenant",
    "sync.default_office_code": "--office",
    "office.name": "--office-name",
    "office.default_partner": "--default-partner",
    "notify.email": "--notify",
    "smtp.host": "--smtp-host",
    "smtp.security": "--smtp-security",
    "smtp.port": "--smtp-port",
    "smtp.username": "--smtp-username",
    "smtp.from": "--smtp-from",
}
"""Every answer by the name it has in this file (a key of config.toml where it is one), and its option."""
MAIL: Final = tuple(name for name in FLAGS if name.startswith("smtp."))


def check_answer(name: str, value: object) -> Any:
    """The value to keep of an answer; raises ValueError("must ...")."""
    if name == "office.name":
        return check_text(value)
    if name == "smtp.username" and value in NONE:
        return ""
    return check_setting("notify.email" if name == "office.default_partner" else name, value)


class Form:
    """What the options say, what holds already, and whether the rest may be asked."""

    def __init__(self, given: Mapping[str, Any], present: Mapping[str, Any], *, may_ask: bool) -> None:
        self.given = given
        self.present = present
        self.may_ask = may_ask
        self.asks_all = may_ask and not given

    def asks(self, name: str, default: str | None = None) -> bool:
        """Whether a person is asked for this answer."""
        is_missing = self.present.get(name, default) is None
        return name not in self.given and (self.asks_all or (self.may_ask and is_missing))

    def find(self, name: str) -> Any:
        """The answer without asking anybody; None where there is none."""
        return self.given.get(name, self.present.get(name))

    def settle(
        self, name: str, question: str, check: Callable[[object], Any] | None = None, *, default: str | None = None
    ) -> Any:
        """The answer that is told, else asked for, else the one that holds; `default` is offered where none holds."""
        present = self.present.get(name, default)
        if self.asks(name, default):
            return ask(question, check or (lambda text: check_answer(name, text)), default=present and str(present))
        return self.given.get(name, present)


def refuse_missing(form: Form, *, has_password: bool) -> None:
    """In a script nothing is asked: raise UsageError that names everything that is missing."""
    known = form.given.keys() | form.present.keys()
    required = ["sync.default_office_code", "notify.email"]
    if any(name in known for name in MAIL):
        required += ["smtp.host", "smtp.from"]
    missing = [FLAGS[name] for name in required if name not in known]
    username = form.given.get("smtp.username")
    if username and username != form.present.get("smtp.username") and not has_password:
        missing.append("--smtp-password-stdin")
    if missing:
        raise click.UsageError(f"Missing: {', '.join(missing)}. (Without a terminal nothing is asked.)")


def settle_office(form: Form, offices: Mapping[str, str]) -> str:
    """The code of the office of new clients; `offices` are those there are, code to name.

    A person confirms a new office that stands in an option beside others: its code may be mistyped.
    """
    name = "sync.default_office_code"
    codes = {fold(code): code for code in offices}
    if offices and form.asks(name):
        chosen = _choose_office(offices, form.present.get(name))
        code = chosen or ask("Code of the new office, such as SYD", lambda text: str(check_answer(name, text)))
        return codes.get(fold(code), code)
    code = str(form.settle(name, "Code of the office that new clients are given, such as SYD"))
    if fold(code) in codes:
        return codes[fold(code)]  # as it is written there
    if offices and form.may_ask:
        print_text(open_console(), f"Active has no office {code} yet.{suggest(code, offices)}")
        if not confirm(f"Set up the office {code}?"):
            raise InvalidRequest("Nothing was changed.", f"The offices are: {', '.join(offices)}")
    return code


def _choose_office(offices: Mapping[str, str], present: str | None) -> str | None:
    """One of the offices there are; None for a new one."""
    console = open_console()
    print_choices(console, [f"{code}  {name}" for code, name in offices.items()])
    print_choices(console, ["new office"], first=0)
    by_answer: dict[str, str | None] = {fold(code): code for code in offices if not code.isdecimal()}
    by_answer |= {"new": None, "0": None, **{str(number): code for number, code in enumerate(offices, start=1)}}

    def pick(answer: object) -> str | None:
        try:
            return by_answer[fold(str(answer))]
        except KeyError:
            raise ValueError(f"must be a number from 0 to {len(offices)}") from None

    numbers = {fold(code): str(number) for number, code in enumerate(offices, start=1)}
    return ask("Office for new clients (number)", pick, default=numbers.get(fold(present or "")))


def settle_users(form: Form, users: Sequence[User]) -> tuple[str | None, str]:
    """The email addresses of the default partner, who is optional, and of the alert recipient."""
    console = open_console()
    if form.asks_all or form.asks("notify.email"):
        rows = [(str(number), user.name, user.email) for number, user in enumerate(users, start=1)]
        print_table(console, ("", "Active users", "Email"), rows)
    if form.asks_all:
        print_text(
            console,
            "The office can have a default partner, who is given the clients that name no partner in XPM. It helps a "
            "firm that has a single partner, or that names no partners in XPM.",
        )
    pick = _make_picker(users)
    name = "office.default_partner"
    present = str(form.present.get(name, "-"))
    if form.asks_all and present not in (*NONE, *(user.email for user in users)):
        print_text(console, f"The present one, {present}, is not an active user.")

    def pick_partner(answer: object) -> str:
        """Enter keeps the present one, who need not be active."""
        return str(answer) if answer in (*NONE, present) else pick(answer)

    partner = form.settle(name, "Default partner (number or email, - for none)", pick_partner, default="-")
    if name in form.given and partner not in NONE:
        partner = _check_given(form, name, users)
    name = "notify.email"
    recipient = form.settle(name, "Alert recipient, who gets an email when syncs fail (number or email)", pick)
    if name in form.given:
        recipient = _check_given(form, name, users)
    return None if partner in NONE else str(partner), str(recipient)


def _check_given(form: Form, name: str, users: Sequence[User]) -> str:
    """The address of an active user that stands in an option, as Active has it."""
    try:
        return _make_picker(users)(form.given[name])
    except ValueError:
        known = ", ".join(user.email for user in users[:SHOWN_USERS]) + (", …" if len(users) > SHOWN_USERS else "")
        raise click.UsageError(
            f"{FLAGS[name]}: {form.given[name]} isn't an active user, and you can only choose an active user. There "
            f"are: {known}. Choose one of them, or see how to add a user: xpmsync admin user --help"
        ) from None


def _make_picker(users: Sequence[User]) -> Callable[[object], str]:
    """A check that takes a number of the list, or an email address whatever its case; gives the address."""
    by_answer = {fold(user.email): user.email for user in users}
    by_answer |= {str(number): user.email for number, user in enumerate(users, start=1)}

    def pick(answer: object) -> str:
        try:
            return by_answer[fold(str(answer))]
        except KeyError:
            raise ValueError("must be a number or an address of the list: you can only choose an active user") from None

    return pick


def settle_mail(
    form: Form, password: str | None, *, has_password: Callable[[], bool]
) -> tuple[dict[str, Any], str | None]:
    """The mail settings, all of them or none, and the password if there is a new one.

    `has_password` says whether one is stored; it is only asked where a person can keep that one.
    """
    if form.asks_all and not confirm("Send emails through a mail server?", default="smtp.host" in form.present):
        return dict.fromkeys(MAIL), None
    if not (form.asks_all or any(name in form.given for name in MAIL)):
        return {}, password
    # In the order in which a provider's page tells them.
    host = form.settle("smtp.host", "Mail server")
    security = form.settle("smtp.security", f"Encryption ({', '.join(SECURITIES)})", default="starttls")
    # The usual port follows the encryption, unless an unusual one was set.
    usual = {str(port) for port in USUAL_PORTS.values()}
    present_port = form.present.get("smtp.port")
    port = USUAL_PORTS[security] if present_port is None or str(present_port) in usual else present_port
    form.present = {**form.present, "smtp.port": port}
    port = form.settle("smtp.port", "Port", _check_port)
    username = form.settle("smtp.username", "User name (- if the server wants none)", default="-")
    username = None if username in NONE else username
    if form.may_ask and username:
        question = "Password of the mail server (not shown"
        if has_password():
            question += "; Enter keeps the one that is stored"
            password = click.prompt(f"{question})", hide_input=True, default="", show_default=False) or None
        else:
            password = ask(f"{question})", str, is_hidden=True)
    # Where the user name is an address, most servers let no other one send.
    usual_sender = username if username and "@" in username else None
    mail = {
        "smtp.host": host,
        "smtp.security": security,
        "smtp.port": port,
        "smtp.username": username,
        "smtp.from": form.settle("smtp.from", "Sender of the emails", default=usual_sender),
    }
    return mail, password


def _check_port(text: object) -> Any:
    return check_answer("smtp.port", int(str(text)) if str(text).isdecimal() else text)
