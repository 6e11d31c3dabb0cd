"""The sign-in that lives for years: read, refreshed and stored so that no crash and no keyring loses it.

Xero replaces the refresh token at every refresh. The replaced one works for 30 more minutes after its first use, any
number of times (said by Xero); whether it then gives the same new token or another one is unknown, and does not matter
here. So nothing may be lost for longer than that, and everything below follows from it:

- One lock between processes is held around read, refresh and write: twenty runs refresh one after the other.
- Before the request, the intent and its time are stored beside the token, and read back. That also proves that the
  keyring takes what it is given *before* the old token is used up; a keyring that does not costs nothing.
- After the answer, the new token is stored, read back and compared before its access token is handed out.
- The token it replaced stays beside it, with the time of its first use.

A process may die at any point:

==================================  =============================================  ====================================
it dies                             the keyring then holds                         what the next call does
==================================  =============================================  ====================================
before the intent is stored         the current token, unused                      refreshes
before the request is sent          the same, and the intent                       refreshes
before or after the answer arrives  the same token, used up at Xero, the intent    refreshes with it, within the grace;
                                                                                   the token never seen is never needed
after the new token is stored       the new token, the previous one, no intent     refreshes
==================================  =============================================  ====================================

An intent that stays leaves a mark on the disk (``pending``): ``notify`` finishes it within ten minutes, as cron's hour
is longer than the grace. What cannot be survived is a machine that is off for longer than that in that very moment.

Only ``invalid_grant`` means that a person is needed, and only after storage was read again (another process may have
stored a newer token meanwhile) and the previous token was refused as well. That one is tried whatever the clock says:
Xero's clock decides about the grace, ours may have been moved; the times are for people to read. No failure ever
deletes a token. Whether a grant is alive is learnt here; what is asked of Xero, and how secrets are kept, is not.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from xpmsync.config import Config
from xpmsync.credentials.refresh_marker import clear_mark, explain_folder, find_mark, set_mark
from xpmsync.credentials.store import Vault
from xpmsync.errors import ConfigurationError, KeyringError, PermanentError, SignInNeeded, TransientError
from xpmsync.home import Home, connect_command
from xpmsync.system.lock import CannotLock, hold
from xpmsync.system.timestamps import from_text, to_text
from xpmsync.xpm.oauth import Grant, IdentityClient, InvalidGrant
from xpmsync.xpm.sign_in import StoredSignIn, load_sign_in

Answer = TypeVar("Answer")

GRACE: Final = timedelta(minutes=30)
"""How long Xero accepts a replaced refresh token after its first use (said by Xero)."""
LOCK_SECONDS: Final = 300.0
"""For the others who refresh first: each may meet a slow keyring and a slow Xero."""
PAUSES_SECONDS: Final = (1.0, 5.0)
"""Before the identity server is asked again after passing trouble."""
LONGEST_PAUSE_SECONDS: Final = 60.0
EARLY_SECONDS: Final = 60.0
"""An access token is renewed this long before its end, so that it does not end on the way."""


class GrantEnded(SignInNeeded):
    """Xero accepts no refresh token of this sign-in any more."""


@dataclass(frozen=True)
class _Access:
    """An access token, in memory alone."""

    token: str = field(repr=False)
    renew_at: datetime


class Tokens:
    """The sign-in of one home."""

    def __init__(
        self,
        vault: Vault,
        client: IdentityClient,
        lock: Path,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._vault = vault
        self._client = client
        self._lock = lock
        self._mark = find_mark(lock)
        self._now = now
        self._sleep = sleep
        self._access: _Access | None = None
        self._may_be_used_up = False

    def access_token(self) -> str:
        """An access token that Xero accepts; refreshed at the first use and near its end."""
        if self._access is not None and self._now() < self._access.renew_at:
            return self._access.token
        with self._held():
            return self._refresh(self._load())

    def renew(self, rejected_access_token: str) -> str:
        """Another access token in place of one that Xero has rejected."""
        if self._access is not None and self._access.token == rejected_access_token:
            self._access = None
        return self.access_token()

    def finish_pending(self) -> None:
        """Finish what a crash, a time-out or the keyring left half done."""
        with self._held():
            stored = self._load()
            if stored.intent_at is not None:
                self._refresh(stored)
            else:  # somebody else has finished it, or died before the mark was cleared
                clear_mark(self._mark)

    def load_tenant_id(self) -> str | None:
        """The practice that this sign-in was made for; None where that is not known."""
        return self._load().tenant_id

    def save_sign_in(self, grant: Grant, *, practice_name: str | None, tenant_id: str | None = None) -> None:
        """Put a new, proven sign-in in the place of the one before."""
        now = to_text(self._now())
        stored = StoredSignIn(
            refresh_token=grant.refresh_token,
            refreshed_at=now,
            connected_at=now,
            scopes=grant.scopes,
            practice_name=practice_name,
            tenant_id=tenant_id,
            user_id=grant.user_id,
        )
        with self._held():
            self._store(stored)
        self._keep(grant)

    def revoke(self) -> None:
        """End the grant at Xero, and with it all of the user's connections to the app. Forgets nothing here."""
        # Refresh first: a server answers 200 also for a token that it no longer knows (RFC 7009), and revokes nothing.
        self.access_token()
        with self._held(), suppress(InvalidGrant):  # a grant that is dead already is no trouble
            self._ask_patiently(partial(self._client.revoke, self._load().refresh_token), iter(PAUSES_SECONDS))

    def forget(self) -> None:
        """Remove the sign-in from the keyring. The client secret stays: it is the app's, not the sign-in's."""
        with self._held():
            self._vault.forget("sign-in")
            clear_mark(self._mark)
        self._access = None

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            with hold(self._lock, wait_seconds=LOCK_SECONDS) as is_held:
                if not is_held:
                    raise TransientError(
                        "Another xpmsync has been busy with the sign-in for several minutes.",
                        "Nothing needs to be done: the next run tries again.",
                    )
                yield
        except CannotLock as error:
            raise explain_folder(self._lock.parent, error) from error

    def _load(self) -> StoredSignIn:
        stored = load_sign_in(self._vault)
        if stored is None:
            raise SignInNeeded("xpmsync is not connected to Xero Practice Manager.", f"Run: {connect_command()}")
        return stored

    def _store(self, stored: StoredSignIn) -> None:
        """Store, read back, compare: a keyring may drop, cut or shadow what it was given without a word."""
        if stored.intent_at is not None:
            set_mark(self._mark)
        text = stored.to_text()
        self._vault.write("sign-in", text)
        if self._vault.read("sign-in") != text:
            raise KeyringError("The keyring did not keep what xpmsync stored in it.", self._vault.remedy)
        if stored.intent_at is None:
            clear_mark(self._mark)

    def _refresh(self, stored: StoredSignIn) -> str:
        """Refresh under the lock; the order of the steps is the point (see above)."""
        intended = replace(stored, intent_at=stored.intent_at or to_text(self._now()))
        self._store(intended)
        self._may_be_used_up = False
        try:
            used, grant = self._ask(intended)
        except (ConfigurationError, PermanentError):
            if not self._may_be_used_up:  # Xero has not looked at the token
                self._withdraw(intended, stored.intent_at)
            raise
        except InvalidGrant:
            self._withdraw(intended, None)  # no refresh is pending any more; the tokens stay
            raise GrantEnded(
                "Xero no longer accepts this sign-in: it was ended at Xero, or not used for 60 days, or this machine"
                " stopped in the middle of a refresh for longer than Xero waits.",
                f"Run: {connect_command()}. Any user of the practice who may connect third-party add-ons can do it.",
            ) from None
        self._save(intended, used, grant)
        return self._keep(grant)

    def _withdraw(self, intended: StoredSignIn, earlier_intent_at: str | None) -> None:
        """Take back the intent, if the value that holds it is still there."""
        if self._load() == intended:
            self._store(replace(intended, intent_at=earlier_intent_at))

    def _ask(self, stored: StoredSignIn) -> tuple[str, Grant]:
        """The refresh token that Xero accepted, and what it gave for it; raises InvalidGrant when it accepts none."""
        refused: set[str] = set()
        pauses = iter(PAUSES_SECONDS)  # for all candidates together: a renewal, too, comes to an end
        for token in self._candidates(stored):
            if token in refused:
                continue
            try:
                return token, self._ask_patiently(partial(self._client.refresh, token), pauses)
            except InvalidGrant:
                refused.add(token)
        raise InvalidGrant

    def _candidates(self, stored: StoredSignIn) -> Iterator[str]:
        """The current token; then what storage holds by now; then the one before."""
        yield stored.refresh_token
        latest = self._load()
        yield latest.refresh_token
        if latest.previous_refresh_token is not None:
            yield latest.previous_refresh_token

    def _ask_patiently(self, request: Callable[[], Answer], pauses: Iterator[float]) -> Answer:
        """Ask again after passing trouble. The same token may be sent again: that is what Xero's grace is for."""
        for pause_seconds in pauses:
            try:
                return request()
            except TransientError as trouble:
                self._may_be_used_up = True  # the answer may have been lost after Xero had acted
                asked_seconds = trouble.retry_after_seconds or 0
                if asked_seconds > LONGEST_PAUSE_SECONDS:
                    raise
                self._sleep(max(pause_seconds, asked_seconds))
        return request()

    def _save(self, intended: StoredSignIn, used: str, grant: Grant) -> None:
        used_at = intended.previous_used_at if used == intended.previous_refresh_token else intended.intent_at
        renewed = replace(
            intended,
            refresh_token=grant.refresh_token,
            refreshed_at=to_text(self._now()),
            scopes=grant.scopes or intended.scopes,
            previous_refresh_token=used,
            previous_used_at=used_at,
            intent_at=None,
        )
        try:
            self._store(renewed)
        except KeyringError as trouble:
            until = (from_text(used_at or renewed.refreshed_at) + GRACE).astimezone()
            raise KeyringError(
                f"Xero has renewed the sign-in, and the keyring did not take it. {trouble.happened}",
                f"{trouble.remedy}\nXero accepts the earlier sign-in until {until:%H:%M} (30 minutes): until then the"
                f" next run puts this right by itself; later, run: {connect_command()}",
                details=trouble.details,
            ) from None

    def _keep(self, grant: Grant) -> str:
        """Keep the access token in memory, and hand it out."""
        early_seconds = min(EARLY_SECONDS, grant.lifetime_seconds / 2)
        renew_at = self._now() + timedelta(seconds=grant.lifetime_seconds - early_seconds)
        self._access = _Access(grant.access_token, renew_at)
        return grant.access_token


@dataclass(frozen=True)
class TrialTokens:
    """A sign-in that is not proven yet: used, but kept nowhere, so that it cannot take an older one's place."""

    grant: Grant

    def access_token(self) -> str:
        """The one that came with the grant."""
        return self.grant.access_token

    def renew(self, rejected_access_token: str) -> str:
        """There is no other one."""
        del rejected_access_token
        happened = "Xero does not accept the sign-in that it has just given."
        raise SignInNeeded(happened, f"Try again. Run: {connect_command()}")


def open_tokens(
    home: Home,
    config: Config,
    vault: Vault,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> Tokens:
    """The sign-in of `home`, refreshed with the app's secret if the vault holds one."""
    client = IdentityClient(config.xero, vault.read("client-secret"))
    return Tokens(vault, client, home.sign_in_lock, now=now, sleep=sleep)
