"""What nobody outside Xero knows for sure, as switches, and the sandbox's settings beside them.

Responsible for their names, values, meaning, and for reading a value from text or JSON. Refuses to know what a
switch does: whoever behaves differently reads it. Where Xero's behaviour is unknown, the default is the less
comfortable one, so that a program that passes here relies on nothing that Xero does not promise.
"""

import dataclasses
import difflib
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

_Plain = bool | int | str


def _unknown(default: Any, meaning: str) -> Any:
    """A behaviour of Xero that no documentation or recording settles."""
    return field(default=default, metadata={"meaning": meaning, "unknown": True})


def _setting(default: Any, meaning: str) -> Any:
    """A behaviour of Xero that is known, or a number that differs between accounts."""
    return field(default=default, metadata={"meaning": meaning, "unknown": False})


@dataclass(frozen=True, kw_only=True)
class Switches:
    """Every switch and setting; replaced as a whole, so that a request sees one consistent set."""

    # Identity
    replayed_refresh: Literal["new", "same"] = _unknown(
        "new",
        "A replaced refresh token used again within its grace gives one more `new` token, or the `same` "
        "one as at its first use.",
    )
    pkce_practice_scopes: bool = _unknown(
        True,  # the one comfortable default: without it an app that has no secret cannot connect at all
        "`true`: an app without a secret may ask for Practice Manager scopes. `false`: it gets the page "
        "`Invalid scope for client`.",
    )
    token_error_status: Literal[400, 401] = _unknown(
        400,
        "HTTP status of the token endpoint's errors: `400`, or `401` as some have seen.",
    )
    access_token_seconds: int = _setting(1800, "Lifetime of an access token (one of Xero's pages says 720).")
    replay_grace_seconds: int = _setting(1800, "How long a replaced refresh token keeps working after its first use.")
    refresh_token_seconds: int = _setting(60 * 86400, "How long a refresh token lives without being used.")
    code_seconds: int = _setting(300, "Lifetime of an authorisation code.")
    scopes_add_up: bool = _setting(
        True,
        "`true`: the granted scopes hold those of earlier consents too. `false`: only those asked for.",
    )
    extra_scopes: str = _setting("", "Scopes granted on top of those asked for, separated by spaces; empty for none.")
    withheld_scopes: str = _setting("", "Scopes not granted although asked for, separated by spaces; empty for none.")
    user_may_connect: bool = _setting(
        True,
        "`false`: the user lacks the permission to connect add-ons: the consent page lists no practice, "
        "`/connections` is `[]`.",
    )
    tenant_name_null: bool = _unknown(
        False,  # both have been seen; a name is what a person can choose by
        "`true`: `tenantName` is `null` in `/connections`, as in Xero's Practice Manager example. `false`: "
        "the practice's name.",
    )

    # Gateway
    limit_concurrent: int = _setting(5, "Calls at once for each tenant.")
    limit_minute: int = _setting(60, "Calls a minute for each tenant.")
    limit_day: int = _setting(5000, "Calls a day for each tenant (1000 on the Starter tier).")
    limit_app_minute: int = _setting(10000, "Calls a minute for each app.")
    limit_headers: bool = _unknown(
        True,  # the recorded answers have them
        "`true`: answers carry `x-daylimit-remaining` and its siblings. `false`: none, as Xero calls them optional.",
    )
    retry_after_everywhere: bool = _unknown(
        False,
        "`true`: the 429 answers for concurrent calls and for the app carry `retry-after` too. `false`: "
        "only minute and day.",
    )
    error_keys_lower_case: bool = _unknown(
        False,
        "`true`: the keys of a JSON error are lower-case (`title`, `status`). `false`: as recorded "
        "(`Title`, `Status`).",
    )
    unauthorized_content_type: bool = _unknown(
        False,
        "`true`: a 401 announces `application/json`. `false`: no content type at all, as recorded.",
    )
    gzip: bool = _setting(True, "`true`: answers are compressed for a program that accepts gzip.")

    # Practice Manager API
    disabled_staff_listed: bool = _unknown(True, "`true`: disabled staff are in the staff list. `false`: they are not.")
    deleted_staff_listed: bool = _unknown(
        False, "`true`: deleted staff stay in the staff list. `false`: they leave it."
    )
    modifiedsince_inclusive: bool = _unknown(
        False,
        "`true`: a client changed in the very second of `modifiedsince` is in the answer. `false`: only later ones.",
    )
    modifiedsince_archived: bool = _unknown(
        False,
        "`true`: archived clients appear in answers to `modifiedsince`. `false`: only the full list has them.",
    )
    modifiedsince_deleted: bool = _unknown(
        False,
        "`true`: deleted clients appear in answers to `modifiedsince`. `false`: only the full list has them.",
    )
    contact_touches_client: bool = _unknown(
        False,
        "`true`: a change of a contact makes the client modified. `false`: it does not, as users of other "
        "products report.",
    )
    group_membership_touches_client: bool = _unknown(
        False,
        "`true`: joining or leaving a group makes the client modified. `false`: it does not.",
    )
    group_rename_touches_client: bool = _unknown(
        False,
        "`true`: renaming a group makes its clients modified. `false`: it does not.",
    )
    staff_name_touches_client: bool = _unknown(
        False,
        "`true`: renaming a staff member makes the clients they look after modified. `false`: it does not.",
    )
    custom_field_touches_client: bool = _unknown(
        False,
        "`true`: a change of an extra element (a custom field) makes the client modified. `false`: it does not.",
    )
    paged_list_last_next: Literal["absent", "empty"] = _unknown(
        "absent",
        "On the last page of the paged list `Next` is `absent`, or there and `empty`.",
    )
    paged_list_business_number: bool = _unknown(
        False,
        "`true`: clients of the paged list have their `BusinessNumber`. `false`: it is missing, as reported.",
    )
    empty_elements: Literal["mixed", "pair", "self-closing"] = _setting(
        "mixed",
        "An element without a text is a `pair` (`<Email></Email>`, recorded), `self-closing` (`<Email />`, "
        "Xero's docs), "
        "or `mixed`: self-closing in about one client of eight.",
    )
    uuid_last: bool = _setting(
        False,
        "`true`: a client's `UUID` is its last element, as recorded of API 3.0. `false`: the first, as "
        "documented of 3.1.",
    )
    xml_declaration: bool = _unknown(
        False, "`true`: XML answers begin with an XML declaration. `false`: without, as recorded."
    )
    xml_line_breaks: bool = _unknown(
        False,
        "`true`: a line break follows each closed element. `false`: no white space between elements, as recorded.",
    )


_NAMES: Final = tuple(each.name for each in dataclasses.fields(Switches))


def describe_switches() -> list[tuple[str, _Plain, str, bool]]:
    """Name, default, meaning, and whether Xero's own behaviour is unknown, of every switch."""
    defaults = Switches()
    return [
        (each.name, getattr(defaults, each.name), each.metadata["meaning"], each.metadata["unknown"])
        for each in dataclasses.fields(Switches)
    ]


def read_switch(name: str, value: object) -> tuple[str, _Plain]:
    """A switch as given by a person, as text or JSON, with its real type.

    Raises ValueError with a message for that person.
    """
    known = name.replace("-", "_")
    if known not in _NAMES:
        close = difflib.get_close_matches(known, _NAMES, n=1)
        raise ValueError(f"There is no switch {name!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
    declared = Switches.__annotations__[known]
    choices = get_args(declared) or ((True, False) if declared is bool else ())
    for choice in choices:
        if str(value).lower() == str(choice).lower():
            return known, choice
    if choices:
        raise ValueError(f"{known} is one of {', '.join(str(choice).lower() for choice in choices)}, not {value!r}.")
    if declared is str:
        if isinstance(value, str):
            return known, value
        raise ValueError(f"{known} is a text, not {value!r}.")
    if isinstance(value, bool) or not str(value).isdecimal():
        raise ValueError(f"{known} is a whole number, not {value!r}.")
    return known, int(str(value))
