"""The gateway in front of the API: who may pass, how often, and what a refusal looks like.

Responsible for bearer tokens, scopes, tenants and limits of `/connections` and the Practice Manager API. Refuses to
know what a practice holds and how bytes travel.
"""

import functools
from collections.abc import Callable, Mapping
from http import HTTPStatus

from xpmsync.sandbox.answers import (
    Answer,
    bad_token,
    empty_answer,
    forbidden,
    json_answer,
    missing_scope,
    too_many_requests,
    xml_answer,
)
from xpmsync.sandbox.api import BASE_PATH, answer_call, scopes_for
from xpmsync.sandbox.identity import Access, AccessRefusedError, Identity
from xpmsync.sandbox.limits import Exceeded, Limits, Remaining
from xpmsync.sandbox.practice import Practice
from xpmsync.sandbox.server import Manner, Reply, Request
from xpmsync.sandbox.switches import Switches

_RETRY_AFTER_SECONDS = 1  # unknown: nothing is promised for these, a switch adds it


class _RefusedError(Exception):
    """A request that does not pass, with the answer it gets."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Gateway:
    """Answers `/connections` and `/practicemanager/`."""

    def __init__(
        self,
        identity: Identity,
        limits: Limits,
        switches: Callable[[], Switches],
        practices: Mapping[str, Practice],
    ) -> None:
        self._identity = identity
        self._limits = limits
        self._switches = switches
        self._practices = practices

    def answer_connections(self, request: Request) -> Answer:
        """List the connections, or end one."""
        try:
            access = self._check(request)
        except _RefusedError as refused:
            return refused.answer
        connection_id = request.path.removeprefix("/connections").lstrip("/")
        if request.method == "GET" and not connection_id:
            return json_answer(self._identity.connections(access, request.parameters().get("authEventId")))
        if request.method == "DELETE" and connection_id:
            if self._identity.disconnect(access, connection_id):
                return empty_answer(HTTPStatus.NO_CONTENT)
            return forbidden(self._switches(), None)
        return empty_answer(HTTPStatus.NOT_FOUND)

    def answer_api(self, request: Request, manner: Manner, change: Callable[[Answer], Answer], url: str) -> Reply:
        """Answer a call of the Practice Manager API, or refuse it.

        A call counts against the limits until it is sent.
        """
        call = request.path.removeprefix(BASE_PATH)
        try:
            access = self._check(request)
            tenant_id = self._admit(request, access, call)
        except _RefusedError as refused:
            return Reply(refused.answer, manner)
        try:
            switches = self._switches()
            document = answer_call(self._practices[tenant_id], switches, call, request.parameters(), url)
            if document is None:
                answer = empty_answer(HTTPStatus.NOT_FOUND)
            else:
                answer = change(xml_answer(document, self.remaining(access.app.client_id, tenant_id)))
        except BaseException:
            self._limits.leave_tenant(tenant_id)
            raise
        return Reply(answer, manner, functools.partial(self._limits.leave_tenant, tenant_id))

    def remaining(self, client_id: str, tenant_id: str) -> Remaining | None:
        """What is left of the limits; None where the switches let no answer tell."""
        switches = self._switches()
        return self._limits.remaining(client_id, tenant_id, switches) if switches.limit_headers else None

    def _check(self, request: Request) -> Access:
        """What the request's token allows."""
        try:
            return self._identity.check(request.headers.get("authorization", ""))
        except AccessRefusedError as refused:
            raise _RefusedError(bad_token(self._switches(), refused.expired_at)) from refused

    def _admit(self, request: Request, access: Access, call: str) -> str:
        """Let a call pass to its tenant, whose id is returned, or refuse it.

        For its scope, the app's limit, the right to the tenant or the tenant's limits, whichever comes first.
        """
        switches = self._switches()
        tenant_id = request.headers.get("xero-tenant-id", "").lower()
        if not request.path.startswith(BASE_PATH) or request.method != "GET":
            raise _RefusedError(empty_answer(HTTPStatus.NOT_FOUND))
        if not access.scopes & scopes_for(call):
            raise _RefusedError(missing_scope(switches))
        if exceeded := self._limits.count_app_call(access.app.client_id, switches):
            raise self._too_many(exceeded, access, tenant_id)
        if tenant_id not in self._practices or not self._identity.may_use(access, tenant_id):
            raise _RefusedError(forbidden(switches, self.remaining(access.app.client_id, tenant_id)))
        if exceeded := self._limits.enter_tenant(tenant_id, switches):
            raise self._too_many(exceeded, access, tenant_id)
        return tenant_id

    def _too_many(self, exceeded: Exceeded, access: Access, tenant_id: str) -> "_RefusedError":
        retry_after = exceeded.window_ends_in_seconds
        if exceeded.problem in ("concurrent", "appminute"):
            retry_after = (retry_after or _RETRY_AFTER_SECONDS) if self._switches().retry_after_everywhere else None
        return _RefusedError(
            too_many_requests(exceeded.problem, self.remaining(access.app.client_id, tenant_id), retry_after)
        )
