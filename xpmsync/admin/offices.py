"""Offices and their default partners, who take the clients that have no partner in XPM."""

from xpmsync.active.history import ChangeRow
from xpmsync.active.offices import insert_office, update_office
from xpmsync.admin.centre import Centre, Outcome, compare, describe_office, nothing_to_change
from xpmsync.errors import NotPossible
from xpmsync.rules.reading import fold


def add_office(centre: Centre, code: str, name: str) -> Outcome:
    """Set up an office."""
    for office in centre.offices:
        if fold(office["code"]) == fold(code):
            raise NotPossible(
                f"The code {office['code']} belongs to the office {office['name']} already.",
                "Choose another code for the new office.",
            )
    insert_office(centre.database, code, name)
    centre.changes.append(ChangeRow("office", code, "created", new_value=name))
    return Outcome(
        f"The office {name} ({code}) is set up.",
        remarks=("It has no default partner yet, who takes the clients that have none in XPM. Choose one:",),
        next_command=f"xpmsync admin office set {code} --default-partner EMAIL",
    )


def set_office(
    centre: Centre,
    code: str,
    *,
    name: str | None = None,
    default_partner: str | None = None,
    clear_default_partner: bool = False,
) -> Outcome:
    """Change an office's name or default partner."""
    office = centre.find_office(code)
    current = {"name": office["name"], "default_partner_id": office["default_partner_id"]}
    wanted = dict(current)
    if name is not None:
        wanted["name"] = name
    if clear_default_partner:
        wanted["default_partner_id"] = None
    if default_partner is not None:
        wanted["default_partner_id"] = centre.find_partner(default_partner, current_id=office["default_partner_id"]).id
    values = compare(current, wanted)
    if not values:
        return nothing_to_change(describe_office(office))
    update_office(centre.database, office["code"], **wanted)
    remarks = []
    if "default_partner_id" in values:
        remarks.append(
            "At the next sync (xpmsync sync), the clients of the office that have no partner in XPM get this one."
            if values["default_partner_id"]
            else "From the next sync on (xpmsync sync), a client of the office without a partner in XPM is an error."
        )
    edits = centre.note("office", office["code"], current, values)
    return Outcome(f"The office {describe_office(office)} is changed:", edits, tuple(remarks))
