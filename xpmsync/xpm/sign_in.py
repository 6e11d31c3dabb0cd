"""What the keyring holds of the sign-in: one value, as text, and what can be told of it without telling a secret.

How it is renewed so that no crash loses it is the business of ``xpmsync.xpm.tokens``. Knows nothing of the network, so
that a command which only says how things are loads none of its libraries.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Self

from xpmsync.credentials.store import Vault
from xpmsync.errors import SignInNeeded
from xpmsync.home import connect_command
from xpmsync.system.timestamps import from_text


@dataclass(frozen=True)
class SignIn:
    """What can be told about the sign-in without telling a secret."""

    connected_at: datetime
    practice_name: str | None
    user_id: str | None
    """Who signed in, by Xero's id."""
    scopes: tuple[str, ...]
    refreshed_at: datetime
    pending_since: datetime | None
    """When a refresh began that has not been finished."""


@dataclass(frozen=True)
class StoredSignIn:
    """The keyring's one value. Texts alone, so that it is JSON as it stands; `None` where there is nothing."""

    refresh_token: str = field(repr=False)
    refreshed_at: str
    connected_at: str
    scopes: tuple[str, ...]
    practice_name: str | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    previous_refresh_token: str | None = field(default=None, repr=False)
    previous_used_at: str | None = None
    intent_at: str | None = None

    def to_text(self) -> str:
        """The value as the keyring keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Raises ValueError, TypeError or KeyError where no `to_text`, of this or a later version, wrote this."""
        values = json.loads(text)
        known = {each.name: values[each.name] for each in fields(cls) if each.name in values}
        stored = cls(**known | {"scopes": tuple(values["scopes"])})
        for moment in (stored.refreshed_at, stored.connected_at, stored.intent_at):
            _read_time(moment)
        return stored


def load_sign_in(vault: Vault) -> StoredSignIn | None:
    """What the keyring holds; None where nobody has signed in, SignInNeeded where it cannot be read."""
    value = vault.read("sign-in")
    if value is None:
        return None
    try:
        return StoredSignIn.from_text(value)
    except (ValueError, TypeError, KeyError):
        # Not chained: the error would repeat what it could not read.
        happened = "What the keyring holds as xpmsync's sign-in cannot be read."
        raise SignInNeeded(happened, f"Run: {connect_command()}") from None


def describe_sign_in(vault: Vault) -> SignIn | None:
    """What is known about the sign-in, without asking Xero; None where there is none."""
    stored = load_sign_in(vault)
    if stored is None:
        return None
    return SignIn(
        connected_at=from_text(stored.connected_at),
        practice_name=stored.practice_name,
        user_id=stored.user_id,
        scopes=stored.scopes,
        refreshed_at=from_text(stored.refreshed_at),
        pending_since=_read_time(stored.intent_at),
    )


def _read_time(text: str | None) -> datetime | None:
    return None if text is None else from_text(text)
