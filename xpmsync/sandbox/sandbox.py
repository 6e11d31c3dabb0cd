"""The sandbox as a whole: identity, connections, Practice Manager and the controls on one address.

Responsible for putting the parts together, for sending each request to its part, for faults on the way, and for the
log of requests. Refuses to know how any part works.
"""

import dataclasses
import functools
import threading
import uuid as uuids
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

from xpmsync.sandbox.answers import Answer, redirect_answer
from xpmsync.sandbox.clock import Clock
from xpmsync.sandbox.control import answer_control, refuse_outsider
from xpmsync.sandbox.faults import Fault, Faults, Situation
from xpmsync.sandbox.gateway import Gateway
from xpmsync.sandbox.identity import App, Identity, Tenant
from xpmsync.sandbox.keychain import Keychain
from xpmsync.sandbox.limits import Limits
from xpmsync.sandbox.practice import Practice
from xpmsync.sandbox.server import HttpServer, Manner, Reply, Request
from xpmsync.sandbox.sign_in import answer_identity
from xpmsync.sandbox.switches import Switches, read_switch

_LOG_LIMIT: Final = 100_000


@dataclass
class LoggedRequest:
    """A request that came in. The status is None while it is answered, and where the connection was reset instead."""

    method: str
    path: str
    query: str
    at: float
    status: int | None = None


class Sandbox:
    """A stand-in for Xero on 127.0.0.1. A context manager.

    It serves, in threads of its own, while the `with` block runs.
    """

    def __init__(
        self,
        practice: Practice | None = None,
        *,
        port: int = 0,
        apps: Sequence[App] = (App(),),
        switches: Switches | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.switches = switches or Switches()
        self.faults = Faults()
        self.requests: list[LoggedRequest] = []
        self.practice = practice or Practice()
        self.keychain = Keychain()
        self.identity = Identity(self.clock, lambda: self.switches, apps)
        self._practices: dict[str, Practice] = {}
        self._gateway = Gateway(self.identity, Limits(self.clock.now), lambda: self.switches, self._practices)
        self._lock = threading.Lock()
        self._server: HttpServer | None = None
        self._port = port
        self.tenant_id = self.add_practice(self.practice)

    # Serving

    @property
    def url(self) -> str:
        """The address of everything: identity, connections, API and controls."""
        if not self._port:
            raise RuntimeError("The sandbox has no address before it is started.")
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Begin to serve. After a stop it serves again on the same port."""
        self._server = HttpServer(self.answer, self.clock.now, lambda: self.switches.gzip, self._port)
        self._port = self._server.port
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving: open connections are dropped, new ones refused. Everything else stays as it is."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # What it stands for

    def add_practice(
        self,
        practice: Practice,
        tenant_name: str | None = None,
        tenant_type: str = "PRACTICEMANAGER",
    ) -> str:
        """Add a tenant that the user may connect and return its id: the practice's own, a new one if that is taken.

        Of other types than PRACTICEMANAGER only connections show.
        """
        is_taken = practice.tenant_id in self.identity.tenants
        tenant_id = str(uuids.uuid4()) if is_taken else practice.tenant_id
        tenant = Tenant(tenant_id, tenant_type, tenant_name or practice.name)
        practice.clock = self.clock
        if tenant_type == "PRACTICEMANAGER":
            self._practices[tenant.tenant_id] = practice
        self.identity.tenants[tenant.tenant_id] = tenant
        return tenant.tenant_id

    def tenants(self) -> list[Tenant]:
        """What the user may connect, in the order added."""
        return list(self.identity.tenants.values())

    def practice_of(self, tenant_id: str | None) -> Practice:
        """The practice of a tenant, or the first one. Raises ValueError where there is none."""
        if tenant_id is None:
            return self.practice
        if tenant_id not in self._practices:
            raise ValueError(f"There is no practice with the tenant id {tenant_id!r}.")
        return self._practices[tenant_id]

    def set_switches(self, **values: Any) -> None:
        """Set switches by name, all or none of them; a text is read as what it means. Raises ValueError."""
        read: dict[str, Any] = dict(read_switch(name, value) for name, value in values.items())
        with self._lock:
            self.switches = dataclasses.replace(self.switches, **read)

    # Answering

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path == "/" and request.method == "GET":  # a person who looks what is here
            return Reply(redirect_answer("/sandbox"))
        if request.path == "/sandbox" or request.path.startswith("/sandbox/"):
            if refusal := refuse_outsider(request):
                return Reply(refusal)
            if request.path == "/sandbox/keyring":
                return Reply(self.keychain.answer(request, self.faults))
            return Reply(answer_control(self, request))
        logged = LoggedRequest(request.method, request.path, request.query, self.clock.now())
        self.requests.append(logged)
        del self.requests[:-_LOG_LIMIT]
        met = self.faults.meet(request)
        if any(fault.kind.reset for fault in met):
            return Reply(Answer(HTTPStatus.OK), Manner(lost=True))
        if any(fault.kind.ends_token for fault in met):
            self.identity.expire(request.headers.get("authorization", ""))
        manner = functools.reduce(_spoil, met, Manner())
        reply = self._answer_instead(request, met, manner) or self._act(request, met, manner)
        logged.status = None if reply.manner.lost else int(reply.answer.status)
        return reply

    def _answer_instead(self, request: Request, met: list[Fault], manner: Manner) -> Reply | None:
        for fault in met:
            if fault.kind.instead is not None:
                tenant_id = request.headers.get("xero-tenant-id", "").lower()
                situation = Situation(self._gateway.remaining("", tenant_id), self.switches)
                return Reply(fault.kind.instead(fault.options, situation), manner)
        return None

    def _act(self, request: Request, met: list[Fault], manner: Manner) -> Reply:
        if request.path.startswith("/practicemanager/"):
            return self._gateway.answer_api(request, manner, functools.partial(_change, met), self.url)
        if request.path == "/connections" or request.path.startswith("/connections/"):
            return Reply(self._gateway.answer_connections(request), manner)
        return Reply(answer_identity(self.identity, request, self.switches, self.url), manner)


def _spoil(manner: Manner, fault: Fault) -> Manner:
    return fault.kind.manner(fault.options, manner) if fault.kind.manner else manner


def _change(met: list[Fault], answer: Answer) -> Answer:
    for fault in met:
        if fault.kind.change is not None:
            answer = fault.kind.change(fault.options, answer)
    return answer
