"""A suggested mapping: what a file is, what its columns are, and above all which of them say yes or no."""

from pathlib import Path

import pytest

from nurture.files import mapping
from nurture.files.consent_columns import ConsentRole, role_of
from nurture.files.known_exports import known_exports
from nurture.files.suggestion import suggest

YES_NO = ("yes", "no", "yes")


def suggested(tmp_path: Path, text: str, name: str = "list.csv") -> tuple[str, dict[str, str]]:
    path = tmp_path / name
    path.write_text(text)
    mapped = mapping.parse(suggest(path))
    return mapped.kind, {field: source.title for field, source in mapped.columns.items()}


@pytest.mark.parametrize(
    "header",
    ["Newsletter", "Opt-in", "OPT_IN", "optIn", "Email Opt In", "Consent", "Marketing consent", "Subscribed",
     "Accepts Marketing", "Accepts email marketing", "Email Marketing", "GDPR consent", "Permission", "Mailing",
     "Einwilligung", "Werbeerlaubnis", "Newsletter abonniert", "DSGVO-Einwilligung", "Abonné newsletter",
     "Inscrit à la newsletter", "Consentement", "Consentimiento", "Suscrito", "Acepta publicidad", "Boletín",
     "Consenso", "Iscritto alla newsletter", "Consenso marketing", "Toestemming", "Nieuwsbrief",
     "Ingeschreven voor nieuwsbrief", "Aceita receber e-mails", "Inscrito na newsletter", "Zgoda na newsletter",
     "Zgoda marketingowa", "Abonat la newsletter", "Consimțământ", "Acord marketing", "同意", "订阅", "邮件订阅",
     "Marketing status", "May we email you?", "OK to email", "email_permission"],
)  # fmt: skip
def test_a_column_of_consent_is_found_in_ten_languages(header: str) -> None:
    assert role_of(header, YES_NO) is ConsentRole.CONSENT


@pytest.mark.parametrize(
    "header",
    ["Unsubscribed", "Opt out", "Opt-Out", "OPTED_OUT", "Email Opt Out", "HasOptedOutOfEmail", "Do not email",
     "Do Not Mail", "Don't contact", "No mailings", "EMAIL_BLACKLISTED", "Blocklisted", "is_blacklisted", "Suppressed",
     "DNC", "Abgemeldet", "Newsletter abbestellt", "Werbesperre", "Mailsperre", "Keine Werbung", "Widerspruch",
     "Désabonné", "Désinscrit", "Ne pas contacter", "Opposition", "Baja", "Dado de baja", "No contactar",
     "No desea recibir correos", "Disiscritto", "Non contattare", "Cancellato dalla newsletter", "Afgemeld",
     "Uitgeschreven", "Niet mailen", "Descadastrado", "Não contatar", "Wypisany", "Nie kontaktować", "Dezabonat",
     "Nu contactați", "退订", "拒收邮件", "黑名单", "Unsubscribed from all email"],
)  # fmt: skip
def test_a_column_of_people_who_left_is_found_in_ten_languages(header: str) -> None:
    assert role_of(header, YES_NO) is ConsentRole.UNSUBSCRIBED


@pytest.mark.parametrize("header", ["Do Not Call", "SMS Opt In", "SMS_BLACKLISTED", "Fax opt out",
                                    "Accepts SMS Marketing", "Mailing Country",
                                    "Telefonwerbung", "Has children", "VIP", "Tax Exempt", "Marketing contact owner",
                                    "Opt-in IP", "Unsubscribe reason", "Last opened"])  # fmt: skip
def test_a_column_about_something_else_is_no_consent(header: str) -> None:
    assert role_of(header, ("10.0.0.1",) if "IP" in header else ("too many",) if "reason" in header else YES_NO) is None


@pytest.mark.parametrize(
    ("header", "cells"),
    [("Status", ("Subscribed", "Unsubscribed", "Cleaned")), ("Zustand", ("abgemeldet", "angemeldet")),
     ("X7", ("opted in", "opted out"))],
)  # fmt: skip
def test_words_of_consent_give_a_column_away_whatever_it_is_called(header: str, cells: tuple[str, ...]) -> None:
    assert role_of(header, cells) is ConsentRole.CONSENT


def test_a_yes_under_a_name_that_means_no_is_a_no() -> None:
    assert role_of("Do not allow Emails", ("Allow", "Do Not Allow")) is ConsentRole.UNSUBSCRIBED


def test_bounces_and_complaints_are_columns_of_their_own() -> None:
    assert role_of("Bounced", YES_NO) is ConsentRole.BOUNCED
    assert role_of("Email hard bounce reason", ("550",)) is ConsentRole.BOUNCED
    assert role_of("Spam complaint", YES_NO) is ConsentRole.COMPLAINED


@pytest.mark.parametrize(
    ("text", "kind", "columns"),
    [
        ("Vorname;Nachname;E-Mail-Adresse;Firma;Position;Telefon;Land;Newsletter;Angelegt am\n"
         "Zoë;O'Brien;zoe@foo.example;Foo GmbH;Leiterin;+49 40 1234;Deutschland;ja;02.03.2025\n", "contacts",
         {"email": "E-Mail-Adresse", "first_name": "Vorname", "last_name": "Nachname", "account": "Firma",
          "title": "Position", "phone": "Telefon", "country": "Land", "consent": "Newsletter",
          "created_at": "Angelegt am"}),
        ("Nombre;Apellidos;Correo electrónico;Empresa;Cargo;País;Dado de baja\n"
         "Ana;Peña;ana@foo.example;Foo SL;Directora;España;no\n", "contacts",
         {"email": "Correo electrónico", "first_name": "Nombre", "last_name": "Apellidos", "account": "Empresa",
          "title": "Cargo", "country": "País", "unsubscribed": "Dado de baja"}),
        ("Imię;Nazwisko;Adres e-mail;Nazwa firmy;Stanowisko;Kraj;Zgoda na newsletter\n"
         "Ewa;Nowak;ewa@foo.example;Foo;Dyrektor;Polska;tak\n", "contacts",
         {"email": "Adres e-mail", "first_name": "Imię", "last_name": "Nazwisko", "account": "Nazwa firmy",
          "title": "Stanowisko", "country": "Kraj", "consent": "Zgoda na newsletter"}),
        ("姓名,邮箱,公司,职位,电话,订阅\n王秀英,wang@foo.example,福,经理,13800000000,是\n", "contacts",
         {"email": "邮箱", "name": "姓名", "account": "公司", "title": "职位", "phone": "电话", "consent": "订阅"}),
        ("Bestellnummer;Kundennummer;Bestelldatum;Gesamtbetrag;Währung;Artikel\n"
         "B1;K7;02.03.2026;1.234,50;EUR;Pumpe\n", "orders",
         {"key": "Bestellnummer", "contact": "Kundennummer", "at": "Bestelldatum", "amount": "Gesamtbetrag",
          "currency": "Währung", "product": "Artikel"}),
        ("Firma;Branche;Mitarbeiter;Webseite;Land;Kundennummer\nFoo;Stahl;250;https://foo.example;DE;7\n", "accounts",
         {"key": "Kundennummer", "name": "Firma", "domain": "Webseite", "industry": "Branche", "country": "Land",
          "employees": "Mitarbeiter"}),
        ("email,created_at\nstop@foo.example,2026-03-01\n", "suppressions", {"email": "email", "at": "created_at"}),
    ],
)  # fmt: skip
def test_columns_are_recognised_in_many_languages(
    tmp_path: Path, text: str, kind: str, columns: dict[str, str]
) -> None:
    name = "unsubscribes.csv" if kind == "suppressions" else "list.csv"
    assert suggested(tmp_path, text, name) == (kind, columns)


def test_a_column_that_might_be_a_consent_keeps_the_mapping_from_being_complete(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Name,E-mail,Q7\nZoë,zoe@foo.example,yes\nRuth,ruth@foo.example,no\n")
    text = suggest(path)
    assert 'undecided = ["Q7"]' in text
    with pytest.raises(mapping.MappingError, match="'Q7' might say who must not be mailed"):
        mapping.check_columns(mapping.parse(text), ["Name", "E-mail", "Q7"])
    decided = text.replace("undecided =", "not_consent =")
    mapping.check_columns(mapping.parse(decided), ["Name", "E-mail", "Q7"])


def test_a_yes_for_all_is_refused_beside_a_column_of_those_who_left() -> None:
    mapped = 'kind = "contacts"\nmarket = "b2b"\nconsent = "granted"\n[columns]\nemail = "E"\n'
    with pytest.raises(mapping.MappingError, match="'Email Opt Out' might say who must not be mailed"):
        mapping.check_columns(mapping.parse(mapped), ["E", "Email Opt Out"])
    mapping.check_columns(mapping.parse(mapped.replace("[columns]", 'not_consent = ["Email Opt Out"]\n[columns]')),
                          ["E", "Email Opt Out"])  # fmt: skip


def test_an_order_of_day_and_month_that_nobody_can_tell_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email,first_name,Created\na@x.example,Ann,03/04/2026\nb@x.example,Bob,05/06/2026\n")
    text = suggest(path)
    assert mapping.parse(text).cell_format.dates == ""
    assert "day-first or month-first?" in text


@pytest.mark.parametrize("export", known_exports(), ids=lambda export: export.title[:40])
def test_a_known_export_is_recognised_by_its_columns(tmp_path: Path, export) -> None:  # type: ignore[no-untyped-def]
    header = list(dict.fromkeys([*export.signature, *(c for said in export.fields.values() for c in said)]))
    path = tmp_path / "export.csv"
    path.write_text(",".join(f'"{name}"' for name in header) + "\n")
    text = suggest(path)
    mapped = mapping.parse(text)
    assert f"as {export.title} exports it" in text
    assert mapped.kind == export.kind
    assert export.fields.keys() <= mapped.columns.keys()


UNSEEN = [  # exports as tools write them, each with its kind, and the columns that say yes or no
    ("Record Id,Company,First Name,Last Name,Email,Lead Status,Created Time,Email Opt Out,Unsubscribed Mode\n"
     "z1,Foo AG,Ann,Lee,a@x.example,Contacted,2025-03-04 10:00:00,true,Manual\n", "contacts",
     {"unsubscribed": "Email Opt Out"}),
    ("Subscriber,Status,First name,Subscribed,Unsubscribed,Opens\n"
     "a@x.example,active,Ann,2025-03-04 10:00:00,,3\n"
     "b@x.example,unsubscribed,Bo,2024-03-04 10:00:00,2025-03-24 10:00:00,3\n", "contacts",
     {"consent": "Status", "unsubscribed": "Unsubscribed"}),
    ("Id,FirstName,LastName,Email,MailingCountry,HasOptedOutOfEmail,EmailBouncedDate,CreatedDate\n"
     "1,Ann,Lee,a@x.example,Germany,false,,2025-03-04T10:00:00.000+0000\n", "contacts",
     {"unsubscribed": "HasOptedOutOfEmail", "bounced": "EmailBouncedDate"}),
    ("Full Name,Email,Company Name,Do not allow Emails,Do Not Allow Phone Calls,Created On\n"
     "Ann Lee,a@x.example,Foo,Allow,Allow,3/14/2025 10:00 AM\n"
     "Bo Li,b@x.example,Foo,Do Not Allow,Allow,3/14/2025 1:00 AM\n",
     "contacts", {"unsubscribed": "Do not allow Emails"}),
    ("Order #,Order Date,First Name,Last Name,Email,Ticket Type,Total Paid,I agree to receive marketing emails\n"
     "77,2025-03-04 10:00:00,Ann,Lee,a@x.example,General,0.00,No\n", "contacts",
     {"consent": "I agree to receive marketing emails"}),
    ("Email,Klaviyo ID,First Name,Email Marketing Consent,Email Suppressions,SMS Marketing Consent\n"
     "a@x.example,01A,Ann,SUBSCRIBED,[],NEVER_SUBSCRIBED\nb@x.example,01B,Bo,SUBSCRIBED,USER_SUPPRESSED,\n",
     "contacts",
     {"consent": "Email Marketing Consent", "unsubscribed": "Email Suppressions"}),
    ("N° de commande;Date de commande;Client;E-mail;Montant TTC;Devise;Statut\n"
     "1;04/03/2025;Ann;a@x.example;1 234,50;EUR;payée\n",
     "orders", {}),
    ("Internal ID,Company Name,Web Address,Industry,No. of Employees\n1,Foo GmbH,www.foo.example,Steel,250\n",
     "accounts", {}),
    ("timestamp,user_email,event_name,page_url\n2025-03-04T10:00:00Z,a@x.example,page_view,https://x.example\n",
     "activities", {}),
    ("Deal - ID,Deal - Title,Deal - Value,Deal - Currency,Deal - Status,Deal - Deal created\n"
     "1,Ovens,12000,EUR,Open,2025-03-04 10:00:00\n", "opportunities", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "says"), UNSEEN, ids=[text[:24] for text, _, _ in UNSEEN])
def test_an_unseen_export_has_its_kind_and_its_columns_of_yes_and_no(
    tmp_path: Path, text: str, kind: str, says: dict[str, str]
) -> None:
    found, columns = suggested(tmp_path, text)
    assert found == kind
    roles = {role.value for role in ConsentRole}
    assert {name: column for name, column in columns.items() if name in roles} == says
