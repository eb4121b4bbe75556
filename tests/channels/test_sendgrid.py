"""SendGrid as a channel: what every answer and every broken wire comes to, and that the key is told to nobody."""

import logging
import select
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.queries.recipients import Recipient
from nurture.channels.base import OutboundEmail
from nurture.channels.parts import PartForm, RenderedPart
from nurture.channels.sendgrid import wire
from nurture.channels.sendgrid.api import Misconfigured
from nurture.channels.sendgrid.channel import SendGrid
from nurture.rendering.composer import Composer, PublishedLetters
from nurture.rules.delivery.states import ARMED_LEASE, Answer, Verdict
from nurture.runtime.settings import Settings
from tests.doubles.sendgrid import Fault, SendGridDouble

CANARY = "SG.canary-not-to-be-told"
FORM = PartForm(("Hello ", "\n"), (0,), ())
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def emails(n: int, **change: Any) -> list[OutboundEmail]:
    def one(i: int) -> OutboundEmail:
        letter = RenderedPart(FORM, (f"Zoë {i}",))
        given: dict[str, Any] = {
            "message_id": i, "attempt_id": "attempt-1", "to_email": f"p{i}@home.example", "to_name": "O'Brien, Zoë; Dr",
            "from_email": "nora@mail.example", "from_name": "Nora", "reply_to": "nora@example.com",
            "subject": f"For {i}", "category": "test",
            "text_part": letter, "html_part": letter,
            "headers": {"List-Unsubscribe": f"<https://x.example/u/{i}>"},
        }  # fmt: skip
        return OutboundEmail(**{**given, **change})

    return [one(i) for i in range(n)]


def sendgrid_at(host: str, deadline: float = 2.0, **more: Any) -> SendGrid:
    return SendGrid(Settings(SENDGRID_API_KEY=CANARY, SENDGRID_HOST=host, **more), deadline=deadline)


@pytest.fixture
def sg() -> Iterator[SendGridDouble]:
    with SendGridDouble(api_key=CANARY) as double:
        yield double


def send(sg: SendGridDouble, n: int = 3, **more: Any) -> Answer:
    return sendgrid_at(sg.url, **more).send(emails(n), lambda: True, NOW)


def test_a_request_for_many_brings_each_their_own_letter(sg: SendGridDouble) -> None:
    answer = send(sg, 1_000)
    assert (answer.verdict, answer.status, len(sg.accepted)) == (Verdict.TAKEN, 202, 1_000)
    assert answer.provider_id == sg.accepted[0].message_id
    letter = sg.to("p7@home.example")[0]
    assert (letter.subject, letter.text, letter.html) == ("For 7", "Hello Zoë 7\n", "Hello Zoë 7\n")
    assert letter.custom_args == {"nt_message": "7", "nt_attempt": "attempt-1"}
    assert letter.headers == {"List-Unsubscribe": "<https://x.example/u/7>"}
    assert (letter.to_name, letter.reply_to, list(letter.categories)) == (
        "O'Brien  Zoë  Dr",
        "nora@example.com",
        ["test"],
    )
    assert len(sg.requests) == 1


DOUBTFUL = ("accept_then_cut accept_then_500 accept_then_503 accept_then_504 truncated 500 502 503 504 read_then_cut "
            "accept_then_hang hang")  # fmt: skip


@pytest.mark.parametrize("fault", DOUBTFUL.split())
@pytest.mark.parametrize("n", [1, 3])
def test_whatever_might_have_been_taken_is_unknown(sg: SendGridDouble, fault: str, n: int) -> None:
    sg.faults.script([fault])
    assert send(sg, n, deadline=0.2).verdict is Verdict.UNKNOWN
    assert len(sg.requests) == 1  # nothing is tried twice


@pytest.mark.parametrize(
    ("fault", "verdict", "says"),
    [
        ("401", Verdict.STOP, "Mend SENDGRID_API_KEY"),
        ("403", Verdict.STOP, "verify its domain"),
        ("429", Verdict.BUSY, "slow down"),
        ("refuse_recipient", Verdict.REFUSED, "valid address"),
    ],
)
def test_a_sure_no_says_what_to_do(sg: SendGridDouble, fault: str, verdict: Verdict, says: str) -> None:
    sg.faults.script([fault])
    answer = send(sg)
    assert answer.verdict is verdict
    assert says in answer.detail
    assert (sg.accepted, len(sg.requests)) == ([], 1)


def test_429_waits_until_the_moment_sendgrid_names() -> None:
    with SendGridDouble(api_key=CANARY, clock=lambda: NOW, faults=[Fault("429", seconds=37)]) as sg:
        assert send(sg).retry_at == NOW + timedelta(seconds=37)


def test_400_names_the_recipient_to_refuse(sg: SendGridDouble) -> None:
    sg.faults.script([Fault("refuse_recipient", index=2)])
    assert send(sg).refused == {2: "Does not contain a valid address."}


def test_400_for_the_whole_campaign_stops_the_campaign_not_everybody(sg: SendGridDouble) -> None:
    answer = sendgrid_at(sg.url).send(emails(3, from_email="not an address"), lambda: True, NOW)
    assert (answer.verdict, answer.campaign_only) == (Verdict.STOP, True)
    assert "from.email" in answer.detail


def test_a_page_that_is_not_there_stops_the_sender(sg: SendGridDouble) -> None:
    channel = sendgrid_at(sg.url)
    channel.api.mail_send = channel.api.page("no", "such")
    assert channel.send(emails(2), lambda: True, NOW).verdict is Verdict.STOP


def test_nobody_listens_is_surely_not_taken(sg: SendGridDouble) -> None:
    sg.stop_listening()
    answer = send(sg)
    assert (answer.verdict, answer.detail.startswith("no connection to 127.0.0.1")) == (Verdict.BUSY, True)


def test_no_handshake_is_surely_not_taken(sg: SendGridDouble) -> None:
    https = sendgrid_at(sg.url.replace("http://", "https://"))
    answer = https.send(emails(1), lambda: True, NOW)
    assert (answer.verdict, "no secure connection" in answer.detail, len(sg.requests)) == (Verdict.BUSY, True, 0)


def test_a_worker_that_stood_still_writes_nothing(sg: SendGridDouble) -> None:
    asked_at: list[int] = []

    def no() -> bool:
        asked_at.append(len(sg.server.connections))
        return False

    answer = sendgrid_at(sg.url).send(emails(3), no, NOW)
    assert answer.verdict is Verdict.BUSY
    assert (sg.accepted, len(sg.requests), len(asked_at)) == ([], 0, 1)


def test_a_database_that_cannot_be_asked_means_no(sg: SendGridDouble) -> None:
    def broken() -> bool:
        raise OSError("disk")

    assert sendgrid_at(sg.url).send(emails(1), broken, NOW).verdict is Verdict.BUSY
    assert len(sg.requests) == 0


def test_one_person_requests_share_a_connection_and_a_thousand_get_a_fresh_one(sg: SendGridDouble) -> None:
    channel = sendgrid_at(sg.url)
    channel.send(emails(1), lambda: True, NOW)
    kept = channel.api.wire.kept[-1][0]
    channel.send(emails(1), lambda: True, NOW)
    assert channel.api.wire.kept[-1][0] is kept
    channel.send(emails(3), lambda: True, NOW)
    assert channel.api.wire.kept[-1][0] is kept


def test_a_connection_that_went_stale_is_noticed_before_it_is_used(sg: SendGridDouble) -> None:
    channel = sendgrid_at(sg.url)
    channel.send(emails(1), lambda: True, NOW)
    sg.stop_listening()
    sg.resume()
    select.select([channel.api.wire.kept[-1][0]], [], [], 5)  # until the news has come
    assert channel.send(emails(1), lambda: True, NOW).verdict is Verdict.TAKEN
    assert len(sg.requests) == 2


def test_a_reply_that_drips_for_ever_ends_at_the_deadline() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                for byte in b"HTTP/1.1 202 Accepted\r\nX-Slow: " + b"a" * 10_000:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.02)
            except OSError:
                pass

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    answer = sendgrid_at(f"http://127.0.0.1:{listener.getsockname()[1]}", deadline=0.3).send(
        emails(2), lambda: True, NOW
    )
    assert (answer.verdict, time.monotonic() - began < 1.5) == (Verdict.UNKNOWN, True)
    thread.join()
    listener.close()


def test_any_request_ends_before_its_lease_does() -> None:
    assert ARMED_LEASE.total_seconds() > wire.CONNECT + wire.DEADLINE


def test_the_sandbox_is_never_mistaken_for_sent_mail(sg: SendGridDouble) -> None:
    answer = send(sg, SENDGRID_SANDBOX=True)
    assert (answer.verdict, answer.provider_id, sg.accepted) == (Verdict.TRIED, None, [])
    assert sg.sandboxed == 3


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"to_email": "no address"}, "address"),
        ({"subject": "a\r\nBcc: everybody@example.com"}, "line break"),
        ({"subject": ""}, "empty"),
        ({"headers": {"Reply-To": "x@example.com"}}, "reserved"),
        ({"headers": {"X-A": "b\nBcc: c"}}, "line break"),
        ({"html_part": RenderedPart.of("")}, "empty"),
    ],
)
def test_what_sendgrid_would_refuse_never_leaves_and_only_its_reader_is_refused(
    sg: SendGridDouble, change, why
) -> None:
    mixed = [*emails(2), *emails(3, **change)[2:]]
    answer = sendgrid_at(sg.url).send(mixed, lambda: True, NOW)
    assert (answer.verdict, list(answer.refused)) == (Verdict.REFUSED, [2])
    assert why in answer.refused[2]
    assert len(sg.requests) == 0


@pytest.mark.parametrize("given", ["", "http://api.sendgrid.com", "ftp://x", "https://api.sendgrid.com/v3", "sendgrid"])
def test_a_host_that_would_leak_the_key_is_refused(given: str) -> None:
    with pytest.raises(Misconfigured, match="SENDGRID_HOST"):
        sendgrid_at(given)


@pytest.mark.parametrize(
    ("given", "host"), [("eu", "api.eu"), ("us", "api"), ("https://api.eu.sendgrid.com/", "api.eu")]
)
def test_both_regions_have_their_names(given: str, host: str) -> None:
    assert repr(sendgrid_at(given)) == f"SendGrid(https://{host}.sendgrid.com)"


class Parrot(SendGridDouble):
    """A server that tells us our own headers."""

    def answer(self, request: Any) -> Any:
        result = super().answer(request)
        result.status = 403
        result.body = (
            f'{{"errors": [{{"message": "you said {request.headers["authorization"]}", "field": null}}]}}'.encode()
        )
        return result


@pytest.mark.parametrize("fault", ["ok", "401", "429", "500", "truncated", "accept_then_cut", "stop_listening"])
def test_the_key_is_told_to_nobody(
    fault: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with Parrot(api_key=CANARY, faults=[fault]) as sg:
        channel = sendgrid_at(sg.url)
        seen = [channel.send(emails(n), lambda: True, NOW) for n in (1, 2, 3)]
    for key in ("", "two words", CANARY + "\n X: y"):
        with pytest.raises(Misconfigured) as caught:
            SendGrid(Settings(SENDGRID_API_KEY=key))
        seen.append(caught.value)  # type: ignore[arg-type]
    shown = [channel, channel.api.wire, Settings(SENDGRID_API_KEY=CANARY), caplog.text, capsys.readouterr()]
    told = f"{seen} {shown}"
    assert "canary" not in told


def all_letters(tmp_path: Path) -> Iterator[tuple[PublishedLetters, str]]:
    from nurture.config import campaigns
    from nurture.rendering import TemplateSet
    from nurture.runtime.settings import PROJECT

    for slug in ("pump-efficiency", "spring-sale"):
        files = campaigns.files(PROJECT / "templates", slug)
        campaign = campaigns.read_files(files, slug)
        for step in campaign.steps:
            yield PublishedLetters(slug, 1, campaign, TemplateSet(files)), step.letter


READERS = [
    Recipient(
        1, "", "", "", first_name=first, last_name=last, title=title, locale=locale, country=country, role=role,
        shopper=shopper, account_name=account, industry=industry, employees=420, tier="a", owner_name="Sam Seller",
        owner_email="sam@seller.example",
    )
    for locale, country in [("en", "DE"), ("es-MX", "MX"), ("ro", "RO"), ("zh-CN", "CN"), ("de-DE", "DE")]
    for role in [None, "authorizer", "user", "specifier", "finance", "purchaser"]
    for first, last, title, account, industry, shopper in [
        ("Zoë", "O'Brien", "Head of Maintenance", "Foo & Søns <GmbH>", "Chemicals", "loyal"),
        ("秀英", "王", "采购经理", "Water & More", "Food and Beverage", "prospect"),
        ("", "", "", "", "", ""),
        ("-nt0001-", "nt0002-", "nt", "-nt0003", "Chemicals", "champion"),
    ]
]  # fmt: skip


def test_every_letter_of_ours_arrives_as_jinja_wrote_it(tmp_path: Path, sg: SendGridDouble) -> None:
    from tests.support.outbox import composer

    office: Composer = composer(tmp_path)
    channel = sendgrid_at(sg.url)
    requests = 0
    for published, letter in all_letters(tmp_path):
        addresses = [f"p{i}@home.example" for i in range(len(READERS))]
        readers = [
            reader._replace(message_id=i, letter=letter, address=address, email=address)
            for i, (reader, address) in enumerate(zip(READERS, addresses, strict=True), 1)
        ]
        wrote, failures = office.write_emails(published, readers, {}, "attempt-1", NOW)
        assert not failures
        sg.accepted.clear()
        for batch in channel.request_batches(wrote):
            requests += 1
            assert channel.send(batch.emails, lambda: True, NOW).verdict is Verdict.TAKEN
        arrived = {letter.custom_args["nt_message"]: letter for letter in sg.accepted}
        assert len(arrived) == len(sg.accepted) == len(READERS)
        for e in wrote:
            got = arrived[str(e.message_id)]
            assert (got.subject, got.text, got.html) == (e.subject, e.text, e.html)
    assert requests < 6 * len(READERS) / 2  # they really were shared
