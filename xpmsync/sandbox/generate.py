"""A believable practice from a seed: Australian and New Zealand clients and staff, and everything that hurts.

Responsible for inventing records; the same numbers give the same practice, byte for byte. Refuses to know Xero's
answers. Nobody here is real: e-mail addresses end in example.com and its siblings, phone numbers come from the
ranges that the Australian regulator keeps for fiction (New Zealand has none). Business numbers are random and pass
their checksums.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from xpmsync.sandbox.practice import STAFF_ELEMENTS, TAX_ELEMENTS, Client, Content, Elements, Practice, Staff

_DAY_SECONDS: Final = 86400
_ABN_DIGITS: Final = 11
_Option = TypeVar("_Option")


def _listed(names: str) -> tuple[str, ...]:
    """Names separated by commas, over several lines."""
    return tuple(" ".join(name.split()) for name in names.split(","))


def _places(table: str) -> tuple[tuple[str, str, str, int], ...]:
    """Places, each four texts separated by semicolons."""
    rows = [[field.strip() for field in row.split(";")] for row in _listed(table)]
    return tuple((city, region, post_code, int(dialling_code)) for city, region, post_code, dialling_code in rows)


_FIRST_NAMES: Final = _listed("""
    Aaliyah, Aroha, Benjamin, Bridget, Callum, Charlotte, Chloe, Daniel, Deepika, Ella, Emily, Ethan, Fatima,
    Finn, Georgia, Grace, Hana, Harriet, Hemi, Hoani, Imogen, Isla, Jack, James, Jarrah, Jasmine, Joshua, Kiri,
    Kirra, Lachlan, Liam, Lucy, Mahina, Mei, Mia, Minh, Nicholas, Nikau, Noah, Olivia, Oscar, Patrick, Priya,
    Rangi, Rawiri, Riley, Rosa, Ruby, Samuel, Sina, Sophie, Stavros, Tāne, Thomas, Tui, Vikram, Wei, William,
    Xavier, Yasmin, Zoe, Zachary
""")
_LAST_NAMES: Final = _listed("""
    Abbott, Anderson, Angelopoulos, Bailey, Bennett, Brown, Campbell, Carter, Chen, Clarke, Collins, Cooper,
    Dunstan, Edwards, Evans, Faleolo, Fitzgerald, Fraser, Gallagher, Gupta, Hall, Harris, Henare, Hughes, Ihaka,
    Jackson, Johnston, Kaur, Kelly, Khan, King, Lee, Lombardi, Macdonald, Marsh, Martin, McKenzie, Mitchell,
    Morris, Murphy, Ngata, Nguyen, O'Brien, Papadakis, Parata, Patel, Pereira, Phillips, Quinn, Robinson, Rossi,
    Ryan, Scott, Sharma, Singh, Smith, Stewart, Tamihana, Taylor, Thompson, Tran, Turner, van der Berg, Walker,
    Wang, Watson, White, Williams, Wilson, Wong, Wright, Young, Zhang
""")
_TITLES: Final = ("Mr", "Mrs", "Ms", "Miss", "Dr", "Mx")
_PLACE_WORDS: Final = _listed("""
    Banksia, Boronia, Bluegum, Coastal, Eureka, Fernhill, Harbour, Highland, Jacaranda, Karri, Kauri, Kōwhai,
    Lakeside, Mallee, Mānuka, Northgate, Outback, Pōhutukawa, Pinnacle, Red Earth, Rimu, Riverbend, Southern,
    Southern Cross, Tasman, Tōtara, Waratah, Wattle, Whitehaven, Yarra
""")
_TRADES: Final = _listed("""
    Bakery, Building, Cabinetmakers, Cafe, Civil, Cleaning, Consulting, Dairy, Dental, Design, Earthmoving,
    Electrical, Engineering, Fencing, Fisheries, Freight, Joinery, Landscaping, Logistics, Medical, Motors,
    Orchards, Painting, Pharmacy, Physiotherapy, Plumbing, Property, Roofing, Shearing, Software, Surveying,
    Timber, Tourism, Veterinary, Vineyards, Wholesale
""")
_STREETS: Final = _listed("""
    Acacia Avenue, Bay Road, Church Street, Coronation Drive, Ferry Road, George Street, Grey Street, High
    Street, Hill Street, King Street, Marine Parade, Marama Crescent, Mill Lane, Pacific Highway, Parnell Rise,
    Queen Street, Railway Terrace, Station Street, Tui Glen, Victoria Road, Wattle Grove, William Street
""")
# City, region, post code, dialling code of the range for fiction (0 for New Zealand, see `phone`).
_AUSTRALIA: Final = _places("""
    Sydney; NSW; 2000; 2, Parramatta; NSW; 2150; 2, Newcastle; NSW; 2300; 2, Orange; NSW; 2800; 2,
    Byron Bay; New South Wales; 2481; 2, Canberra; ACT; 2601; 2, Melbourne; VIC; 3000; 3, Geelong; VIC; 3220; 3,
    Bendigo; VIC; 3550; 3, Hobart; TAS; 7000; 3, Launceston; TAS; 7250; 3, Brisbane; QLD; 4000; 7,
    Cairns; QLD; 4870; 7, Toowoomba; QLD; 4350; 7, Adelaide; SA; 5000; 8, Perth; WA; 6000; 8, Bunbury; WA; 6230; 8,
    Darwin; NT; 0800; 8
""")
_NEW_ZEALAND: Final = _places("""
    Auckland; ; 1010; 0, Wellington; ; 6011; 0, Christchurch; Canterbury; 8011; 0, Dunedin; Otago; 9016; 0,
    Hamilton; Waikato; 3204; 0, Whangārei; Northland; 0110; 0, Napier; Hawke's Bay; 4110; 0, Taupō; Waikato; 3330; 0,
    Nelson; ; 7010; 0
""")
_FICTION_MOBILES: Final = _listed("""
    0491 570 006, 0491 570 156, 0491 570 157, 0491 570 158, 0491 570 159, 0491 570 110, 0491 570 313, 0491 570
    737, 0491 571 266, 0491 571 491, 0491 571 804, 0491 572 549, 0491 572 665, 0491 572 983, 0491 573 770, 0491
    573 087
""")
_AUSTRALIAN_DOMAINS: Final = ("example.com.au", "example.com", "example.net.au", "example.org")
_NEW_ZEALAND_DOMAINS: Final = ("example.co.nz", "example.com", "example.net.nz")
_POSITIONS: Final = ("Director", "Trustee", "Office Manager", "Bookkeeper", "", "Secretary", "Partner")
_GROUP_SUFFIXES: Final = ("Family", "Group", "Family Group", "Holdings Group")
_NOTES: Final = (
    "Prefers to be called after three in the afternoon, and never during shearing.",
    "Annual accounts are signed by both directors. Send the originals by post.",
    "Rang about the payment arrangement; will send the notice of assessment.",
    "Moved premises in March. Lease copied to the permanent file.",
    "Engagement letter sent & returned, fee agreed.\nReview again next year.",
    "Wants the quarterly statement before the tenth. Bank feed is connected.",
)
_ABN_WEIGHTS: Final = (3, 5, 7, 9, 11, 13, 15, 17, 19)


def fill_practice(practice: Practice, *, clients: int, staff: int, seed: int) -> None:
    """Fill an empty practice."""
    if clients < 0 or staff < 0:
        raise ValueError("A practice has no fewer than 0 clients and 0 staff.")
    inventor = _Inventor(random.Random(seed), practice)  # noqa: S311 - repeatable, not secret
    inventor.invent_staff(staff)
    inventor.invent_groups(clients)
    made = [inventor.invent_client() for _ in range(clients)]
    practice.clients |= {client.uuid: client for client in made}
    _trouble_clients(inventor, made)


def abn_of(nine_digits: str) -> str:
    """The Australian business number that ends in these nine digits: its first two make the checksum right."""
    weighted = sum(int(digit) * weight for digit, weight in zip(nine_digits, _ABN_WEIGHTS, strict=True))
    return f"{99 - weighted % 89}{nine_digits}"


def nzbn_of(twelve_digits: str) -> str:
    """The New Zealand business number that begins with these twelve digits: the last is the check digit."""
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve_digits))
    return f"{twelve_digits}{-weighted % 10}"


@dataclass
class _Person:
    first: str
    last: str

    @property
    def full(self) -> str:
        return f"{self.first} {self.last}"


class _Inventor:
    """Invents records, with one source of chance."""

    def __init__(self, chance: random.Random, practice: Practice) -> None:
        self.chance = chance
        self.practice = practice
        self.now = practice.clock.now()
        self.partners: list[Elements] = []
        self.managers: list[Elements] = []
        self.groups: list[Elements] = []
        self._sequence = 0

    def uuid(self) -> str:
        """A UUID of version 4 from the seed."""
        digits = f"{self.chance.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def person(self) -> _Person:
        return _Person(self.pick(_FIRST_NAMES), self.pick(_LAST_NAMES))

    def happens(self, share: float) -> bool:
        """Whether something happens that happens in this share of cases."""
        return self.chance.random() < share

    def pick(self, options: Sequence[_Option]) -> _Option:
        return options[self._below(len(options))]

    def _below(self, end: int) -> int:
        """A number from 0 on, below this one."""
        return int(self.chance.random() * end)

    def _digits(self, count: int) -> str:
        return f"{self._below(10**count):0{count}d}"

    def phone(self, dialling_code: int) -> str:
        """A number that is kept for fiction. New Zealand keeps none, so its people have Australian mobiles."""
        if dialling_code == 0:
            return "+61 " + self.pick(_FICTION_MOBILES)[1:]
        if self.happens(0.4):
            return self.pick(_FICTION_MOBILES)
        return f"(0{dialling_code}) {self.pick(('5550', '7010'))} {self._digits(4)}"

    def email(self, name: str, domains: Sequence[str]) -> str:
        local = "".join(
            letter
            for letter in name.lower().replace(" ", ".")
            if letter.isascii() and (letter.isalnum() or letter == ".")
        )
        return f"{local or 'office'}@{self.pick(domains)}"

    def invent_staff(self, count: int) -> None:
        """Staff members: the first ones, at least half, are flawless, the last ones have what hurts, one thing each."""
        used: set[str] = set()
        people: list[Staff] = []
        for number in range(count):
            person = self.person()
            elements: Elements = dict.fromkeys(STAFF_ELEMENTS, "")
            elements["Name"] = person.full
            address_of = person.full if person.full not in used else f"{person.full} {number}"
            elements["Email"] = self.email(address_of, ("example.com.au",))
            elements["Mobile"] = self.pick(_FICTION_MOBILES)
            used.add(person.full)
            people.append(Staff(self.uuid(), elements))
        flawless = max((count + 1) // 2, count - len(_STAFF_TROUBLES))
        for trouble, staff in zip(_STAFF_TROUBLES, people[flawless:], strict=False):
            trouble(staff, people[:flawless])
        self.practice.staff |= {staff.uuid: staff for staff in people}
        # The last flawless one shares an e-mail address with somebody, so few clients shall hang on that.
        references: list[Elements] = [{"UUID": each.uuid, "Name": each.name} for each in people[: max(1, flawless - 1)]]
        self.partners = references[: (len(references) + 1) // 2]
        self.managers = references

    def invent_groups(self, clients: int) -> None:
        """One group for about every twelve clients."""
        for _ in range(clients // 12 + (clients > 0)):
            name = f"{self.pick(_LAST_NAMES)} {self.pick(_GROUP_SUFFIXES)}"
            uuid = self.practice.add_group(name, uuid=self.uuid(), taxable=self.happens(0.3))
            self.groups.append({"UUID": uuid, "Name": name})

    def invent_client(self) -> Client:
        """One client; nothing about it is wrong yet."""
        self._sequence += 1
        new_zealand = self.happens(0.12)
        domains = _NEW_ZEALAND_DOMAINS if new_zealand else _AUSTRALIAN_DOMAINS
        places = _NEW_ZEALAND if new_zealand else _AUSTRALIA
        place = self.pick(places)
        person = self.person()
        kind = self.pick(_KINDS)
        name = kind.name(self, person)
        elements: Elements = {"Name": name}
        if kind.individual:
            elements |= self._personal(person)
        if self.happens(0.9):  # else absent, as recorded of every client without an address
            owner = person.full if kind.individual else name
            elements["Email"] = self.email(owner, domains) if self.happens(0.97) else ""
        elements |= self._addresses(place, new_zealand=new_zealand)
        elements |= {
            "Phone": self.phone(place[3]),
            "Fax": self.phone(place[3]) if self.happens(0.15) else "",
            "Website": f"https://www.{self.pick(domains)}" if self.happens(0.2) else "",
            "ReferralSource": "",
            "ExportCode": "",
            "IsArchived": "No",
            "IsDeleted": "No",
        }
        if self.partners:
            elements["AccountManager"] = self.pick(self.partners)
            if self.happens(0.7):
                elements["JobManager"] = self.pick(self.managers)
        elements["Type"] = self.pick(_TERMS)
        if not new_zealand:  # New Zealand practices do not use client codes (S)
            letters = person.last[:4].upper().replace("'", "").replace(" ", "")
            elements["ClientCode"] = f"{letters}{self._sequence:05d}"
        elements |= self._tax_block(kind, new_zealand=new_zealand)
        elements["Contacts"] = self._contacts(person, place[3], domains, individual=kind.individual)
        elements["Notes"] = self._notes()
        in_group = self.groups and self.happens(0.55)
        elements["Groups"] = [self.pick(self.groups)] if in_group else []
        elements["Relationships"] = []
        age = self.chance.random() * 900 * _DAY_SECONDS
        return Client(self.uuid(), self.practice.take_number(), elements, edited_at=self.now - _DAY_SECONDS - age)

    def _personal(self, person: _Person) -> Elements:
        return {
            "Title": self.pick(_TITLES),
            "Gender": self.pick(("Female", "Male", "")),
            "FirstName": person.first,
            "LastName": person.last,
            "OtherName": self.pick(_FIRST_NAMES) if self.happens(0.3) else "",
            "DateOfBirth": f"{1935 + self._below(70)}-{1 + self._below(12):02d}-{1 + self._below(28):02d}"
            + ("T00:00:00" if self.happens(0.5) else ""),
        }

    def _addresses(self, place: tuple[str, str, str, int], *, new_zealand: bool) -> Elements:
        city, region, post_code, _ = place
        country = "New Zealand" if new_zealand else "Australia"
        street = f"{1 + self._below(380)} {self.pick(_STREETS)}"
        lines = [street]
        if self.happens(0.25):
            lines = [f"Level {1 + self._below(30)}, {self.pick(_PLACE_WORDS)} House", street]
            if self.happens(0.3):
                lines.insert(0, f"Suite {1 + self._below(12)}")
        addresses: Elements = {
            "Address": _address(lines),
            "City": city,
            "Region": region,
            "PostCode": post_code,
            "Country": country,
        }
        if self.happens(0.6):
            box = [f"PO Box {100 + self._below(9800)}"]
            addresses |= {"PostalAddress": _address(box), "PostalCity": city, "PostalRegion": region}
            addresses |= {"PostalPostCode": post_code, "PostalCountry": country}
        else:
            addresses |= dict.fromkeys(
                ("PostalAddress", "PostalCity", "PostalRegion", "PostalPostCode", "PostalCountry"), ""
            )
        return addresses

    def _tax_block(self, kind: "_Kind", *, new_zealand: bool) -> Elements:
        company_number = self._digits(9) if kind.structure == "Company" else ""
        if new_zealand:
            business_number = nzbn_of(f"94290{self._digits(7)}") if self.happens(0.8) else ""
        else:
            business_number = abn_of(company_number or self._digits(9)) if kind.in_business or self.happens(0.3) else ""
        if len(business_number) == _ABN_DIGITS and self.happens(0.5):
            # People type it both ways.
            business_number = (
                f"{business_number[:2]} {business_number[2:5]} {business_number[5:8]} {business_number[8:]}"
            )
        yes_or_no = "Yes" if business_number else "No"
        return {
            "TaxNumber": self._digits(9),
            "CompanyNumber": company_number,
            "BusinessNumber": business_number,
            "BusinessStructure": kind.structure,
            "BranchNumber": "1" if business_number else "",
            "BalanceMonth": "Jun",
            "GSTRegistered": yes_or_no,
            "GSTPeriod": "Quarterly" if business_number else "",
            "GSTBasis": "Payment",
            "ProvisionalTaxBasis": "Standard Option" if new_zealand else "",
            "ProvisionalTaxRatio": "",
            "PrepareGST": yes_or_no,
            "SignedTaxAuthority": "Yes",
            "TaxAgent": "",
            "AgencyStatus": "With EOT" if new_zealand else "Unlinked",
            "ReturnType": "IR4" if new_zealand else "",
            "PrepareActivityStatement": yes_or_no,
            "PrepareTaxReturn": "Yes",
            "ActiveAtoClient": "No" if new_zealand else "Yes",
        }

    def _contacts(
        self, person: _Person, dialling_code: int, domains: Sequence[str], *, individual: bool
    ) -> list[Mapping[str, Content]]:
        """One to four contacts. Few clients have a primary one (recorded: 6 of 87; here a few more)."""
        people = [person, *(self.person() for _ in range(self._below(4)))]
        primary = self.happens(0.25)
        return [
            {
                "UUID": self.uuid(),
                "Name": each.full,
                "Mobile": self.pick(_FICTION_MOBILES),
                "Email": self.email(each.full, domains),
                "Phone": self.phone(dialling_code) if self.happens(0.4) else "",
                "Position": "" if individual else self.pick(_POSITIONS),
                "Salutation": each.first if self.happens(0.7) else "",
                "Addressee": f"{each.first[:1]} {each.last}",
                "IsDeleted": "No",
                "IsPrimary": "Yes" if primary and each is person else "No",
            }
            for each in people
        ]

    def _notes(self) -> list[Mapping[str, Content]]:
        return [
            {
                "Title": "Note",
                "Text": self.pick(_NOTES),
                "Folder": "",
                "Date": f"20{15 + self._below(11)}-{1 + self._below(12):02d}-14T09:30:00",
                "CreatedBy": str(self.managers[0]["Name"]) if self.managers else "",
            }
            for _ in range(self._below(6))
        ]


def _address(lines: Sequence[str]) -> str:
    """Lines as Xero sends them: one text, every line but the first indented (docs)."""
    return "\n   ".join(lines)


@dataclass(frozen=True)
class _Kind:
    """A kind of client."""

    structure: str
    name: Callable[[_Inventor, _Person], str]
    individual: bool = False
    in_business: bool = True


def _business(inventor: _Inventor) -> str:
    return f"{inventor.pick(_PLACE_WORDS)} {inventor.pick(_TRADES)}"


def _last_name_first(_: _Inventor, person: _Person) -> str:
    return f"{person.last}, {person.first}"


_INDIVIDUAL: Final = _Kind("Individual", _last_name_first, individual=True, in_business=False)
_COMPANY: Final = _Kind("Company", lambda inventor, _: f"{_business(inventor)} Pty Ltd")
_FUND: Final = _Kind("Self Managed Superannuation Fund", lambda _, person: f"{person.last} Superannuation Fund")
# About as often as in an ordinary practice.
_KINDS: Final = (
    *(_INDIVIDUAL,) * 7,
    *(_COMPANY,) * 5,
    *(_Kind("Trust", lambda _, person: f"The {person.last} Family Trust"),) * 3,
    _Kind("Trust", lambda inventor, _: f"{_business(inventor)} Unit Trust"),
    _Kind("Partnership", lambda inventor, person: f"{person.first[:1]} & {inventor.person().first[:1]} {person.last}"),
    *(_Kind("Sole Trader", lambda inventor, person: f"{person.full} t/as {_business(inventor)}"),) * 2,
    _FUND,
)
_TERMS: Final[tuple[dict[str, Content], ...]] = (
    {"Name": "20th of Month", "CostMarkup": "30.00", "PaymentTerm": "DayOfMonth", "PaymentDay": "20"},
    {"Name": "14 days", "CostMarkup": "0.00", "PaymentTerm": "WithinDays", "PaymentDay": "14"},
)


# What hurts about staff. Each is given one member and the flawless ones.


def _set_of_staff(**elements: str) -> Callable[[Staff, Sequence[Staff]], None]:
    return lambda staff, _: staff.elements.update(elements)


def _staff_same_email(staff: Staff, flawless: Sequence[Staff]) -> None:
    staff.elements["Email"] = str(flawless[-1].elements["Email"]).upper()


def _staff_same_name(staff: Staff, flawless: Sequence[Staff]) -> None:
    staff.elements["Name"] = flawless[0].name


def _staff_disabled(staff: Staff, _: Sequence[Staff]) -> None:
    staff.disabled = True


def _staff_deleted(staff: Staff, _: Sequence[Staff]) -> None:
    staff.deleted = True


def _staff_absent_email(staff: Staff, _: Sequence[Staff]) -> None:
    del staff.elements["Email"]


_STAFF_TROUBLES: Final = (
    _set_of_staff(Name="Reception"),
    _staff_same_email,
    _set_of_staff(Email=""),
    _set_of_staff(Name=""),
    _set_of_staff(Email="no email yet"),
    _staff_same_name,
    _staff_disabled,
    _staff_deleted,
    _staff_absent_email,
    # The list may hold Xero users who are not practice staff (S).
    _set_of_staff(Name="Xero Support", Email="support.access@example.com"),
    _set_of_staff(Name="  Māia   van der\u00a0Berg ", Email="  Maia.vanderBerg@Example.com.au "),
)


# What hurts about clients. Each is given as many clients as its entry says.


@dataclass(frozen=True)
class _Trouble:
    """One thing that hurts: how many clients it takes, how often (of 10,000 clients), and what it does to them."""

    change: Callable[[_Inventor, Sequence[Client]], None]
    takes: int = 1
    often: int = 10


def _set(**elements: str | None) -> Callable[[_Inventor, Sequence[Client]], None]:
    """Set elements of one client; None takes an element away."""

    def change(_: _Inventor, clients: Sequence[Client]) -> None:
        for element, text in elements.items():
            if text is None:
                clients[0].elements.pop(element, None)
            else:
                clients[0].elements[element] = text

    return change


def _append(**endings: str) -> Callable[[_Inventor, Sequence[Client]], None]:
    def change(_: _Inventor, clients: Sequence[Client]) -> None:
        for element, ending in endings.items():
            clients[0].elements[element] = str(clients[0].elements.get(element, "")) + ending

    return change


def _copy(*names: str, change_case: bool = False) -> Callable[[_Inventor, Sequence[Client]], None]:
    """Give a second client what the first one has."""

    def change(_: _Inventor, clients: Sequence[Client]) -> None:
        first, second = clients
        first.elements.setdefault("ClientCode", f"CODE{first.number}")
        for name in names:
            text = str(first.elements.get(name, ""))
            second.elements[name] = text.lower() if change_case else text

    return change


def _partner_not_listed(inventor: _Inventor, clients: Sequence[Client]) -> None:
    clients[0].elements["AccountManager"] = {"UUID": inventor.uuid(), "Name": "Margaret Oldfield"}


def _manager_not_listed(inventor: _Inventor, clients: Sequence[Client]) -> None:
    clients[0].elements["JobManager"] = {"UUID": inventor.uuid(), "Name": "Colin Formerly"}


def _partner_without_email(inventor: _Inventor, clients: Sequence[Client]) -> None:
    without = [staff for staff in inventor.practice.staff.values() if not staff.elements.get("Email") and staff.name]
    if without:
        clients[0].elements["AccountManager"] = {"UUID": without[0].uuid, "Name": without[0].name}


def _address_lines(count: int) -> Callable[[_Inventor, Sequence[Client]], None]:
    lines = ("Suite 4", "Level 32, Kōwhai House", "Wharf Precinct", "188 Quay Street", "Rear Entrance")

    def change(_: _Inventor, clients: Sequence[Client]) -> None:
        clients[0].elements["Address"] = "\n      " + "\n      ".join(lines[:count]) + "\n    " if count else ""

    return change


def _primaries(*primaries: str) -> Callable[[_Inventor, Sequence[Client]], None]:
    """Contacts who are primary, deleted, both or neither, in this order."""

    def change(inventor: _Inventor, clients: Sequence[Client]) -> None:
        contacts: list[Mapping[str, Content]] = []
        for words in primaries:
            person = inventor.person()
            contacts.append(
                {
                    "UUID": inventor.uuid(),
                    "Name": person.full,
                    "Mobile": "",
                    "Email": "",
                    "Phone": "",
                    "Position": "",
                    "Salutation": person.first,
                    "Addressee": person.full,
                    "IsDeleted": "Yes" if "deleted" in words else "No",
                    "IsPrimary": "Yes" if "primary" in words else "No",
                }
            )
        clients[0].elements["Contacts"] = contacts

    return change


def _several_groups(inventor: _Inventor, clients: Sequence[Client]) -> None:
    clients[0].elements["Groups"] = [dict(group) for group in inventor.groups[:3]]


def _unknown_elements(_: _Inventor, clients: Sequence[Client]) -> None:
    clients[0].extra = (
        "<PreferredPronouns>she/her</PreferredPronouns>"
        "<CustomerPortal><Enabled>Yes</Enabled><Name>Portal &amp; Files</Name></CustomerPortal>"
    )


def _only_first_and_last_name(inventor: _Inventor, clients: Sequence[Client]) -> None:
    person = inventor.person()
    clients[0].elements |= {
        "Name": "",
        "FirstName": person.first,
        "LastName": person.last,
        "BusinessStructure": "Individual",
    }


def _related(inventor: _Inventor, clients: Sequence[Client]) -> None:
    person, company = clients
    relationship: dict[str, Content] = {
        "UUID": inventor.uuid(),
        "Type": "Shareholder",
        "NumberOfShares": "1000",
        "Percentage": "0",
    }
    relationship["RelatedClient"] = {"UUID": company.uuid, "Name": company.name}
    person.elements["Relationships"] = [relationship]


def _billed_elsewhere(_: _Inventor, clients: Sequence[Client]) -> None:
    billed, payer = clients
    billed.elements["BillingClient"] = {"UUID": payer.uuid, "Name": payer.name}


def _recreated(inventor: _Inventor, clients: Sequence[Client]) -> None:
    """A client that was archived and typed in again: same name, code and business number."""
    former, fresh = clients
    _copy("Name", "ClientCode", "BusinessNumber")(inventor, clients)
    former.elements["IsArchived"], fresh.elements["IsArchived"] = "Yes", "No"


_TROUBLES: Final = (
    _Trouble(_copy("Name"), takes=2, often=25),
    _Trouble(_copy("ClientCode"), takes=2, often=8),
    _Trouble(_copy("ClientCode", change_case=True), takes=2, often=4),
    _Trouble(_recreated, takes=2, often=8),
    _Trouble(_related, takes=2, often=40),
    _Trouble(_billed_elsewhere, takes=2, often=20),
    _Trouble(_set(AccountManager=None), often=25),
    _Trouble(_partner_not_listed, often=15),
    _Trouble(_partner_without_email, often=8),
    _Trouble(_manager_not_listed, often=15),
    _Trouble(_set(IsArchived="Yes"), often=600),
    _Trouble(_set(IsDeleted="Yes"), often=80),
    _Trouble(_set(IsArchived="Yes", IsDeleted="Yes"), often=10),
    *(_Trouble(_address_lines(count)) for count in range(6)),
    _Trouble(_several_groups, often=100),
    _Trouble(_set(Contacts=None, Groups=None), often=5),
    _Trouble(_set(Contacts=None), often=5),
    _Trouble(_primaries(), often=40),
    _Trouble(_primaries("", "")),
    _Trouble(_primaries("", "primary"), often=40),
    _Trouble(_primaries("primary", "primary")),
    _Trouble(_primaries("primary deleted", "")),
    _Trouble(_primaries("primary deleted", "primary")),
    _Trouble(_set(**dict.fromkeys(TAX_ELEMENTS)), often=20),
    _Trouble(_unknown_elements, often=20),
    _Trouble(_only_first_and_last_name),
    _Trouble(_set(Name="", FirstName=None, LastName=None), often=3),
    _Trouble(_set(Email=None), often=20),
    _Trouble(_set(Email=""), often=20),
    _Trouble(_set(Email="office@example.com.au; accounts@example.com.au")),
    _Trouble(_set(Email="Jo Bloggs <jo.bloggs@example.com>"), often=4),
    _Trouble(_set(Email="post only"), often=6),
    _Trouble(_set(Email="  JO.BLOGGS@EXAMPLE.COM.AU\n")),
    _Trouble(_set(BusinessNumber="51 824 753 557"), often=4),  # one off in its last digit: the checksum is wrong
    _Trouble(_set(BusinessNumber="applied for"), often=4),
    _Trouble(_set(BusinessStructure="Incorporated association (NFP)"), often=15),
    _Trouble(_set(BusinessStructure="")),
    _Trouble(_set(ClientCode=""), often=20),
    _Trouble(_set(ClientCode=None), often=20),
    _Trouble(_append(ClientCode="  "), often=5),
    _Trouble(_set(Name="Fern & Sons <Holdings> Ltd"), often=3),
    _Trouble(_set(Name="Whānau Pūtea Trust – Ōtaki"), often=3),
    _Trouble(_set(Name="Surf's Up 🏄\u200d♀️ Café"), often=3),
    _Trouble(_set(Name="王伟 Trading"), often=3),
    _Trouble(_set(Name="Double  Space\u00a0Pty Ltd "), often=3),
    _Trouble(_set(Name="First line\r\nSecond line Pty Ltd"), often=3),
    _Trouble(_set(Name='=HYPERLINK("https://example.com") Design'), often=3),
    _Trouble(_set(Name="The " + "Very " * 48 + "Long Name Trust"), often=2),
    _Trouble(_set(Phone="call the farm, ask for Kev"), often=5),
)


def _trouble_clients(inventor: _Inventor, clients: Sequence[Client]) -> None:
    """Give every trouble its share, at least one each while there are clients left; no client has two."""
    waiting = list(clients)
    inventor.chance.shuffle(waiting)
    shares = [(trouble, 1) for trouble in _TROUBLES]
    shares += [(trouble, len(clients) * trouble.often // 10_000 - 1) for trouble in _TROUBLES]
    for trouble, times in shares:
        for _ in range(times):
            if len(waiting) < trouble.takes:
                return
            trouble.change(inventor, [waiting.pop() for _ in range(trouble.takes)])
