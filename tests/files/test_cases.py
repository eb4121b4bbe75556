"""Real exports and bug reports, if they are here: what each file is, and what every column of it means."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Engine, select
from sqlmodel import col

from models import Account, Address, Contact, Order
from nurture.files import mapping
from nurture.files.encoding import FileError
from nurture.files.suggestion import suggest
from nurture.runtime import database
from tasks.intake import Imported, import_file

CASES = Path(__file__).parents[3] / "shared" / "cases" / "import"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not here: no folder {CASES}")


class Case(NamedTuple):
    """What a suggestion must say of a file: its kind, its columns by field, and how its dates are written."""

    file: str
    kind: str
    columns: dict[str, str]
    dates: str = ""


MAILCHIMP = {"email": "Email Address", "key": "LEID", "first_name": "First Name", "last_name": "Last Name",
             "phone": "Phone Number", "country": "CC", "time_zone": "TIMEZONE", "created_at": "OPTIN_TIME",
             "consent_at": "CONFIRM_TIME"}  # fmt: skip
SHOPIFY = {"email": "Email", "key": "Customer ID", "first_name": "First Name", "last_name": "Last Name",
           "phone": "Phone", "country": "Default Address Country Code",
           "consent": "Accepts Email Marketing"}  # fmt: skip
ID_OK = {"key": "Id", "email": "Email", "consent": "OK"}
READ = [
    Case("01-hubspot-contacts.csv", "contacts", {
        "email": "Email", "key": "Record ID", "account": "Associated Company IDs", "account_name": "Associated Company",
        "first_name": "First Name", "last_name": "Last Name", "title": "Job Title", "phone": "Phone Number",
        "locale": "Preferred language", "country": "Country/Region", "unsubscribed": "Unsubscribed from all email",
        "created_at": "Create Date", "alias": "Additional email addresses"}),
    Case("02-salesforce-lead-report.csv", "contacts", {
        "email": "Email", "key": "Lead ID", "account": "Company / Account", "first_name": "First Name",
        "last_name": "Last Name", "title": "Title", "unsubscribed": "Email Opt Out", "created_at": "Create Date"},
        "month-first"),
    Case("03a-subscribed_email_audience_export_0a1b2c3d4e.csv", "contacts", MAILCHIMP),
    Case("03b-unsubscribed_email_audience_export_0a1b2c3d4e.csv", "contacts",
         MAILCHIMP | {"unsubscribed": "UNSUB_TIME"}),
    Case("03c-cleaned_email_audience_export_0a1b2c3d4e.csv", "contacts", MAILCHIMP | {"bounced": "CLEAN_TIME"}),
    Case("05-shopify-customers.csv", "contacts", SHOPIFY),
    Case("46-shopify-customers-no-apostrophes.csv", "contacts", SHOPIFY),
    Case("06-shopify-orders.csv", "orders", {
        "contact": "Email", "key": "Name", "at": "Created at", "amount": "Total", "currency": "Currency",
        "product": "Lineitem name", "code": "Discount Code"}),
    Case("10-brevo-contacts.csv", "contacts", {
        "email": "EMAIL", "key": "CONTACT ID", "first_name": "FIRSTNAME", "last_name": "LASTNAME", "phone": "SMS",
        "consent": "OPT_IN", "unsubscribed": "EMAIL_BLACKLISTED", "created_at": "ADDED_TIME"}, "day-first"),
    Case("12a-sendgrid-suppression_bounces.csv", "suppressions", {"email": "email", "at": "created"}, "unix"),
    Case("12b-sendgrid-global_unsubscribes.csv", "suppressions", {"email": "email", "at": "created"}, "unix"),
    Case("12c-sendgrid-spam_reports.csv", "suppressions", {"email": "email", "at": "created"}, "unix"),
    Case("12d-sendgrid-activity.csv", "activities", {
        "contact": "email", "kind": "event", "at": "processed", "detail": "url", "campaign": "subject"}),
    Case("13-pipedrive-people.csv", "contacts", {
        "email": "Person - Email - Work", "key": "Person - ID", "account": "Organization - ID",
        "account_name": "Person - Organization", "name": "Person - Name", "phone": "Person - Phone - Work",
        "consent": "Person - Marketing status", "created_at": "Person - Person created",
        "alias": "Person - Email - Work + Person - Email - Home + Person - Email - Other"}),
    Case("14b-woocommerce-orders.csv", "orders", {
        "contact": "Email (Billing)", "key": "Order Number", "at": "Order Date", "amount": "Order Total Amount",
        "product": "Item Name", "code": "Coupon Code"}),
    Case("18-mac-roman.csv", "contacts", {"email": "email", "first_name": "firstname", "last_name": "lastname",
                                          "account": "company"}),
    Case("19-nasty-addresses.csv", "contacts", {"email": "Email", "name": "Name", "account": "Company"}),
    Case("20a-french-crm.csv", "contacts", {
        "email": "E-mail", "first_name": "Prénom", "last_name": "Nom", "phone": "Téléphone", "account": "Société",
        "title": "Fonction", "country": "Pays", "locale": "Langue", "consent": "Abonné newsletter",
        "created_at": "Date de création"}, "day-first"),
    Case("23-date-zoo.csv", "contacts", {"email": "email", "first_name": "first_name", "created_at": "Created"},
         "month-first"),
    Case("26-contacts.xlsx", "contacts", {"email": "Email", "first_name": "First Name", "unsubscribed": "Opt out"}),
    Case("30a-hubspot-deals.csv", "opportunities", {
        "key": "Record ID", "account": "Associated Company IDs", "contact": "Associated Contact IDs",
        "name": "Deal Name", "outcome": "Deal Stage", "amount": "Amount", "currency": "Currency",
        "opened_at": "Create Date", "closed_at": "Close Date"}),
    Case("30b-salesforce-opportunities.csv", "opportunities", {
        "key": "Opportunity ID", "account": "Account Name", "name": "Opportunity Name", "outcome": "Stage",
        "amount": "Amount", "currency": "Amount Currency", "opened_at": "Created Date", "closed_at": "Close Date"},
        "month-first"),
    Case("30c-hubspot-companies.csv", "accounts", {
        "key": "Record ID", "name": "Company name", "domain": "Company Domain Name", "industry": "Industry",
        "country": "Country/Region", "employees": "Number of Employees", "owner_name": "Company owner"}),
    Case("31-pipedrive-activities.csv", "activities", {
        "contact": "Person - Email", "kind": "Activity - Type", "at": "Activity - Due date",
        "detail": "Activity - Subject", "key": "Activity - ID"}),
    Case("40-no-under-other-key-1.csv", "contacts", ID_OK),
    Case("41-no-in-duplicate-key-1.csv", "contacts", ID_OK),
    Case("42-no-in-faulty-rows.csv", "contacts", ID_OK | {"unsubscribed": "Unsub", "market": "Market"}),
    Case("42-no-in-ragged-row-1.csv", "contacts", {"email": "Email", "consent": "OK"}),
    Case("43-mailto-and-trailing-separators.csv", "contacts", {
        "email": "Email", "first_name": "First", "last_name": "Last", "title": "Title", "account": "Company",
        "consent": "OK", "country": "Country"}),
    Case("44-consent-words.csv", "contacts", {"email": "Email", "consent": "Marketing"}),
    Case("45-second-shop-orders.csv", "orders", {
        "key": "Order", "contact": "Email", "at": "When", "amount": "Total", "currency": "Currency"}),
    Case("45-second-source-activities.csv", "activities", {
        "key": "id", "contact": "email", "kind": "event", "at": "when", "detail": "page"}),
    Case("50-us-dates-ambiguous.csv", "contacts", {"email": "email", "first_name": "first_name",
                                                   "created_at": "Created"}),
]  # fmt: skip


@pytest.mark.parametrize("case", READ, ids=lambda case: case.file)
def test_a_suggestion_reads_every_column(case: Case) -> None:
    text = suggest(CASES / case.file)
    suggested = mapping.parse(text)
    assert suggested.kind == case.kind
    assert {name: source.title for name, source in suggested.columns.items()} == case.columns
    assert suggested.cell_format.dates == case.dates
    assert 'consent = "granted"' not in text
    assert not suggested.undecided


@pytest.mark.parametrize("file", ["24a-headerless-optouts.txt", "24b-headerless-contacts.csv"])
def test_a_file_without_a_header_is_refused_and_nobody_is_quoted(file: str) -> None:
    with pytest.raises(FileError, match="has no header") as error:
        suggest(CASES / file)
    assert "@" not in str(error.value)


def bring(engine: Engine, now: datetime, folder: Path, *files: str) -> Imported:
    """Import files by what is suggested for them."""
    for file in files:
        done = import_file(engine, now, CASES / file, mapping.parse(suggest(CASES / file)), folder)
    return done


def suppressed(engine: Engine) -> dict[str, str]:
    with database.reading(engine) as session:
        rows = session.execute(select(col(Address.address), col(Address.suppressed_why))).all()
    return {address: why for address, why in rows if why}


@pytest.mark.parametrize(
    ("file", "stopped"),
    [
        ("01-hubspot-contacts.csv", {"john.wexler@harbor.example": "unsubscribe"}),
        ("02-salesforce-lead-report.csv", {"agnes.lefevre@societe.example": "unsubscribe"}),
        ("03b-unsubscribed_email_audience_export_0a1b2c3d4e.csv",
         {"pia.palm@mailbox.example": "unsubscribe", "gus@yahoo.example": "unsubscribe"}),
        ("03c-cleaned_email_audience_export_0a1b2c3d4e.csv", {"dead.box@gone.example": "bounce"}),
        ("05-shopify-customers.csv", {"mans@malm.example": "unsubscribe"}),
        ("10-brevo-contacts.csv",
         dict.fromkeys(("chloe.petit@client.example", "dan.roux@client.example"), "unsubscribe")),
        ("12a-sendgrid-suppression_bounces.csv",
         dict.fromkeys(("dead.box@gone.example", "full.box@gone.example"), "bounce")),
        ("12b-sendgrid-global_unsubscribes.csv",
         {"stop.me@list.example": "unsubscribe", "lina.lund@shopper.example": "unsubscribe"}),
        ("12c-sendgrid-spam_reports.csv", {"angry@list.example": "complaint"}),
        ("12d-sendgrid-activity.csv", {"mans@malm.example": "unsubscribe"}),
        ("13-pipedrive-people.csv", {"anna@polder.example": "unsubscribe", "anna@home.example": "unsubscribe",
                                     "robin@polder.example": "bounce"}),
        ("20a-french-crm.csv", {"jl.ndiaye@port.example": "unsubscribe"}),
        ("26-contacts.xlsx", {"bo@xl.example": "unsubscribe"}),
        ("40-no-under-other-key-2.csv", {"pat@shared.example": "unsubscribe"}),
        ("41-no-in-duplicate-key-1.csv", {"two@sci.example": "unsubscribe"}),
        ("42-no-in-faulty-rows.csv", {f"{name}@c.example": "unsubscribe" for name in ("one", "two", "three", "four")}),
        ("42-no-in-ragged-row-2.csv", {"ragged@c.example": "unsubscribe"}),
        ("44-consent-words.csv", {f"w{n}@w.example": "unsubscribe" for n in (2, 7, 11, 14, 15, 19, 20, 24, 28, 29)}
         | {"w5@w.example": "bounce", "w6@w.example": "bounce"}),
    ],
)  # fmt: skip
def test_whoever_says_no_is_stopped(
    engine: Engine, now: datetime, tmp_path: Path, file: str, stopped: dict[str, str]
) -> None:
    bring(engine, now, tmp_path, file)
    assert suppressed(engine) == stopped


def test_a_do_not_mail_list_makes_nobody_a_lead(engine: Engine, now: datetime, tmp_path: Path) -> None:
    bring(engine, now, tmp_path, "12a-sendgrid-suppression_bounces.csv", "12c-sendgrid-spam_reports.csv")
    with database.reading(engine) as session:
        assert session.execute(select(col(Contact.id))).all() == []


def test_both_ways_of_exporting_customers_are_one_set_of_people(engine: Engine, now: datetime, tmp_path: Path) -> None:
    bring(engine, now, tmp_path, "05-shopify-customers.csv")
    done = bring(engine, now, tmp_path, "46-shopify-customers-no-apostrophes.csv")
    assert (done.created, done.good, done.rejected) == (0, 3, 1)
    with database.reading(engine) as session:
        keys = set(session.execute(select(col(Contact.key), col(Contact.phone))).tuples())
    assert ("7401111111111", "+46761234567") in keys


def test_orders_count_once_and_refunds_do_not(engine: Engine, now: datetime, tmp_path: Path) -> None:
    bring(engine, now, tmp_path, "05-shopify-customers.csv")
    done = bring(engine, now, tmp_path, "06-shopify-orders.csv")
    with database.reading(engine) as session:
        orders = session.execute(select(col(Order.key), col(Order.amount_cents), col(Order.currency))).all()
    assert [tuple(order) for order in orders] == [("#1001", 3498, "SEK")]
    assert (done.left_out, done.repeated, done.rejected) == (1, 1, 2)  # a guest and a stranger
    done = bring(engine, now, tmp_path, "14b-woocommerce-orders.csv")
    assert (done.created, done.left_out, done.repeated) == (1, 2, 1)


def test_two_ids_in_a_cell_are_no_account(engine: Engine, now: datetime, tmp_path: Path) -> None:
    bring(engine, now, tmp_path, "30c-hubspot-companies.csv", "01-hubspot-contacts.csv")
    with database.reading(engine) as session:
        keys = {key for (key,) in session.execute(select(col(Account.key)))}
    assert keys == {"9001", "9002", "9003", "9005"}


def test_jose_is_jose(engine: Engine, now: datetime, tmp_path: Path) -> None:
    bring(engine, now, tmp_path, "18-mac-roman.csv")
    with database.reading(engine) as session:
        assert set(session.execute(select(col(Contact.first_name), col(Contact.last_name))).tuples()) == {
            ("José", "García"),
            ("Zoé", "Lefèvre"),
        }


def test_what_is_sent_is_an_address_and_nothing_else(engine: Engine, now: datetime, tmp_path: Path) -> None:
    bring(engine, now, tmp_path, "43-mailto-and-trailing-separators.csv")
    with database.reading(engine) as session:
        emails = {email for (email,) in session.execute(select(col(Contact.email)))}
    assert emails == {"olle@orm.example", "anna@semi.example", "comma@comma.example", "plain@plain.example"}


def test_a_footer_is_left_out_without_an_error(engine: Engine, now: datetime, tmp_path: Path) -> None:
    done = bring(engine, now, tmp_path, "02-salesforce-lead-report.csv")
    assert (done.rows, done.good, done.rejected) == (3, 2, 1)  # Dana has no address


def test_every_date_that_can_be_read_is_read(engine: Engine, now: datetime, tmp_path: Path) -> None:
    done = bring(engine, now, tmp_path, "23-date-zoo.csv")
    assert (done.good, done.incomplete) == (15, 1)  # 0000-00-00


def test_an_ambiguous_order_of_day_and_month_stops_the_file(engine: Engine, now: datetime, tmp_path: Path) -> None:
    with pytest.raises(mapping.MappingError, match="could be two days"):
        bring(engine, now, tmp_path, "50-us-dates-ambiguous.csv")
