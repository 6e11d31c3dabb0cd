"""The pages a person sees: the consent page, the identity server's error page, the index of the controls.

Responsible for plain HTML that works without scripts, with a keyboard and a screen reader. Refuses to know what a
button does.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from xpmsync.sandbox.identity import Consent

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 1rem; background: #eef1f4; color: #14202e; }
main { max-width: 30rem; margin: 8vh auto; padding: clamp(1.25rem, 6vw, 2rem);
  background: #fff; border-radius: .75rem; }
main.wide { max-width: 60rem; }
h1 { font-size: 1.4rem; margin-top: 0; }
label { display: block; font-weight: 600; margin-bottom: .25rem; }
select, button { font: inherit; padding: .6rem .9rem; border-radius: .4rem; border: 1px solid #6b7885; }
select { width: 100%; background: inherit; color: inherit; }
button { cursor: pointer; background: transparent; color: inherit; }
button.main { background: #0b6bcb; border-color: #0b6bcb; color: #fff; }
button:focus-visible, select:focus-visible { outline: 3px solid #b35c00; outline-offset: 2px; }
.note { font-size: .875rem; color: #4a5866; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; }
pre { overflow-x: auto; background: #eef1f4; padding: .75rem; border-radius: .4rem; }
@media (prefers-color-scheme: dark) {
  body { background: #10161d; color: #e8edf2; }
  main { background: #1b2530; } pre { background: #10161d; } .note { color: #a9b6c2; }
  button:focus-visible, select:focus-visible { outline-color: #f5a623; }
}
"""

_SCOPE_MEANINGS: Final = {
    "offline_access": "Keep access while you are away",
    "practicemanager": "View and change everything in Practice Manager",
    "practicemanager.staff": "View and change staff",
    "practicemanager.staff.read": "View staff",
    "practicemanager.client": "View and change clients and client groups",
    "practicemanager.client.read": "View clients and client groups",
}


def render_consent(consent: Consent) -> str:
    """The page that asks whether an app may have access, and to which practice."""
    scopes = "".join(f"<li>{escape(_SCOPE_MEANINGS.get(scope, scope))}</li>" for scope in consent.scopes)
    name = escape(consent.app.name)
    return _page(
        "Allow access",
        f"""<main>
<h1>{name} wants to access your practice</h1>
<p>Signed in as <strong>Ada Reid</strong>, administrator.</p>
<form method="post" action="/identity/connect/consent">
<input type="hidden" name="consent" value="{escape(consent.consent_id)}">
{_tenant_choice(consent)}
<p>It asks to:</p><ul>{scopes}</ul>
<p><button class="main" type="submit" name="button" value="allow">Allow access</button>
<button type="submit" name="button" value="cancel">Cancel</button></p>
</form>
<p class="note">This is the xpmsync sandbox, a stand-in for Xero. Nothing here is real.</p>
</main>""",
    )


def _tenant_choice(consent: Consent) -> str:
    tenants = consent.tenants
    if not tenants:
        return (
            "<p><strong>No Practice Manager account.</strong> You do not have the permission to connect third-party "
            'add-ons in any practice.</p><input type="hidden" name="tenant" value="">'
        )
    if len(tenants) == 1:
        tenant_id, name = escape(tenants[0].tenant_id), escape(tenants[0].name)
        return f'<p>Practice: <strong>{name}</strong></p><input type="hidden" name="tenant" value="{tenant_id}">'
    options = "".join(f'<option value="{escape(each.tenant_id)}">{escape(each.name)}</option>' for each in tenants)
    every = f'<option value="">All {len(tenants)} of them</option>'
    return f'<p><label for="tenant">Practice</label><select id="tenant" name="tenant">{every}{options}</select></p>'


def render_sign_in_error(words: str) -> str:
    """The page at which a sign-in stops, with the identity server's own words."""
    return _page(
        "Error",
        f"""<main><h1>Sorry, something went wrong</h1>
<p>Error: <code>{escape(words)}</code></p>
<p class="note">The program that sent you here is told nothing.
This is the xpmsync sandbox, a stand-in for Xero.</p></main>""",
    )


def render_index(url: str, routes: Sequence[tuple[str, str, str]]) -> str:
    """What the sandbox offers under its address, for a person with a browser or curl."""
    rows = "".join(
        f"<tr><td>{method}</td><td><code>{escape(path)}</code></td><td>{escape(meaning)}</td></tr>"
        for method, path, meaning in routes
    )
    example = f"curl {url}/sandbox/clients -H 'content-type: application/json' -d '{{\"name\": \"Fern & Sons Ltd\"}}'"
    return _page(
        "Sandbox",
        f"""<main class="wide"><h1>xpmsync sandbox</h1>
<p>A stand-in for Xero: identity, connections and the Practice Manager API 3.1 at <code>{escape(url)}</code>.</p>
<table><caption class="note">Controls: JSON in, JSON out</caption>
<thead><tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">Does</th></tr></thead>
<tbody>{rows}</tbody></table>
<pre>{escape(example)}</pre></main>""",
    )


def _page(title: str, content: str) -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title} | xpmsync sandbox</title>'
        f"<style>{_STYLE}</style></head>"
        f"<body>{content}</body></html>"
    )
