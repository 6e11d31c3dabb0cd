"""The identity server's addresses: the pages of the sign-in, the token endpoint, and what a verifier fetches.

Responsible for which address asks what of the identity server, and for its refusals as pages and JSON. Refuses to know
who may come in.
"""

from http import HTTPStatus

from xpmsync.sandbox.answers import Answer, empty_answer, html_answer, json_answer, redirect_answer
from xpmsync.sandbox.identity import Identity, PageError, TokenError
from xpmsync.sandbox.pages import render_consent, render_sign_in_error
from xpmsync.sandbox.server import Request
from xpmsync.sandbox.switches import Switches
from xpmsync.sandbox.tokens import signing_key


def answer_identity(identity: Identity, request: Request, switches: Switches, url: str) -> Answer:
    """Answer a request to the identity server; any other address is not found."""
    try:
        return _act(identity, request, url)
    except PageError as error:
        return html_answer(render_sign_in_error(str(error)), HTTPStatus.BAD_REQUEST)
    except TokenError as error:
        return json_answer({"error": error.code}, switches.token_error_status)


def _act(identity: Identity, request: Request, url: str) -> Answer:
    authorization = request.headers.get("authorization", "")
    form = request.form()
    answer = empty_answer(HTTPStatus.NOT_FOUND)
    match request.method, request.path:
        case "GET", "/identity/connect/authorize":
            answer = html_answer(render_consent(identity.ask(request.parameters())))
        case "POST", "/identity/connect/consent":
            consent_id = form.get("consent", "")
            if form.get("button") == "cancel":
                answer = redirect_answer(identity.cancel(consent_id))
            else:
                answer = redirect_answer(identity.allow(consent_id, form.get("tenant", "")))
        case "POST", "/connect/token":
            answer = json_answer(identity.issue(form, authorization))
        case "POST", "/connect/revocation":
            identity.revoke(form, authorization)
            answer = empty_answer(HTTPStatus.OK)
        case "GET", "/.well-known/openid-configuration":
            answer = json_answer(_describe(url))
        case "GET", "/.well-known/openid-configuration/jwks":
            answer = json_answer(signing_key().public_keys())
    return answer


def _describe(url: str) -> dict[str, object]:
    """The discovery document."""
    return {
        "issuer": "https://identity.xero.com",
        "authorization_endpoint": f"{url}/identity/connect/authorize",
        "token_endpoint": f"{url}/connect/token",
        "revocation_endpoint": f"{url}/connect/revocation",
        "jwks_uri": f"{url}/.well-known/openid-configuration/jwks",
        "code_challenge_methods_supported": ["S256"],
    }
