"""What SendGrid refuses, the double refuses, naming the field. What just fits is taken."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.doubles.sendgrid import FrozenClock, SendGridDouble
from tests.doubles.sendgrid.asking import LOCAL, crowd, fields, mail, person, post
from tests.doubles.sendgrid.limits import Json
from tests.doubles.sendgrid.quick import surely_fine
from tests.doubles.sendgrid.refusals import problems

TOGETHER = True  # one worker: what the file makes once is costly

BIG = "x" * 9_980
NOW = int(FrozenClock().now.timestamp())


def named(name: str) -> Json:
    return {"to": [{"email": "a@example.com", "name": name}]}


REFUSED: dict[str, tuple[Json, str | None]] = {
    "1,001 personalizations": (mail(*crowd(1001)), "personalizations"),
    "1,001 recipients in one": (mail({"to": [{"email": f"{n}@example.com"} for n in range(1001)]}), "personalizations"),
    "nobody": (mail(personalizations=[]), "personalizations"),
    "no to": (mail({"subject": "x"}), "personalizations.0.to"),
    "an address twice": (mail(*crowd(3), person("LEAD1@example.com")), "personalizations.3.to.0"),
    "an address in to and cc": (mail(person(cc=[{"email": "lead@example.com"}])), "personalizations.0.cc.0"),
    "no address": (mail(person("nobody at example.com")), "personalizations.0.to.0.email"),
    "a name with a comma": (mail(named("Doe, J")), "personalizations.0.to.0.name"),
    "a name with a semicolon": (mail(named("a;b")), "personalizations.0.to.0.name"),
    "a number in custom_args": (mail(person(custom_args={"nt_n": 7})), "personalizations.0.custom_args.nt_n"),
    "custom_args too big": (mail(person(custom_args={"a": BIG, "b": "1234567890"})), "personalizations.0.custom_args"),
    "custom_args together too big": (
        mail(person(custom_args={"a": BIG[:5000]}), custom_args={"b": BIG[:5000]}),
        "personalizations.0.custom_args",
    ),
    "substitutions too big": (mail(person(substitutions={"-n-": "é" * 1_700})), "personalizations.0.substitutions"),
    "a number as substitution": (mail(person(substitutions={"-n-": 1})), "personalizations.0.substitutions.-n-"),
    "11 categories": (mail(categories=[f"c{n}" for n in range(11)]), "categories"),
    "a category twice": (mail(categories=["a", "a"]), "categories"),
    "a category with an umlaut": (mail(categories=["Frühling"]), "categories.0"),
    "later than 72 hours": (mail(send_at=NOW + 72 * 3600 + 1), "send_at"),
    "one later than 72 hours": (mail(person(send_at=2**40)), "personalizations.0.send_at"),
    "a reserved header": (mail(person(headers={"Reply-To": "a@example.com"})), "personalizations.0.headers.Reply-To"),
    "a reserved header for all": (mail(headers={"x-sg-EID": "1"}), "headers.x-sg-EID"),
    "a line break in a header": (mail(person(headers={"X-A": "a\r\nBcc: b"})), "personalizations.0.headers.X-A"),
    "another from domain": (mail(person(**{"from": {"email": "a@other.example"}})), "personalizations.0.from"),
    "no from": (mail(**{"from": None}), "from.email"),
    "no subject": (mail(subject=None), "subject"),
    "no content": (mail(content=None), "content"),
    "empty content": (mail(content=[{"type": "text/plain", "value": ""}]), "content.0.value"),
    "html before text": (mail(content=mail()["content"][::-1]), "content"),
    "an odd content type": (mail(content=[{"type": "text/html; charset=x", "value": "x"}]), "content.0.type"),
    "a batch nobody made": (mail(batch_id="invented"), "batch_id"),
    "a switch that is a word": (
        mail(mail_settings={"sandbox_mode": {"enable": "true"}}),
        "mail_settings.sandbox_mode.enable",
    ),
    "a misspelt field": (mail(catagories=["a"]), None),
    "a misspelt personal field": (mail(person(customargs={})), "personalizations.0"),
    "a subject that is a number": (mail(subject=5), "subject"),
    "two reply-tos": (
        mail(reply_to={"email": "a@example.com"}, reply_to_list=[{"email": "b@example.com"}]),
        "reply_to_list",
    ),
    "an attachment without a name": (mail(attachments=[{"content": "eA=="}]), "attachments.0.filename"),
    "asm without a group": (mail(asm={}), "asm.group_id"),
    "dynamic template and tags": (
        mail(person(substitutions={"-n-": "x"}), template_id="d-1"),
        "personalizations.0.substitutions",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def shared() -> Iterator[SendGridDouble]:
    """One double for the tests that change nothing in it."""
    with SendGridDouble(keep="none") as sg:
        yield sg


@pytest.fixture(scope="module")
def frozen() -> Iterator[SendGridDouble]:
    with SendGridDouble(keep="none", clock=FrozenClock()) as sg:
        yield sg


@pytest.mark.parametrize("reason", REFUSED)
def test_the_whole_request_is_refused_and_the_field_is_named(frozen: SendGridDouble, reason: str) -> None:
    body, field = REFUSED[reason]
    response = post(frozen, body)
    assert (response.status_code, fields(response)) == (400, [field])
    assert frozen.accepted_count == 0


def test_what_just_fits_is_taken(shared: SendGridDouble) -> None:
    fits = [
        mail(person(custom_args={"a": BIG})),
        mail(person(substitutions={"-nt0001-": "é" * 1_650})),
        mail(categories=[f"c{n}" for n in range(10)]),
        mail(send_at=int(time.time()) + 72 * 3600 - 60),
        mail(person(headers={"Message-ID": "<1@example.com>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"})),
        mail(person(**{"from": {"email": "sales@news.example.com"}}, subject="Yours"), subject=None),
    ]
    assert [post(shared, body).status_code for body in fits] == [202] * len(fits)


def test_the_quick_look_never_overlooks_what_the_careful_one_sees() -> None:
    draw = random.Random(7)
    odd = ["", "a,b", "é" * 900, "😀" * 900, 7, None, [], {}, "a\r\nb", "To", "lead1@example.com", "x" * 9_990]
    seen_quickly = 0
    for _ in range(3_000):
        people = crowd(4)
        for _ in range(draw.randint(0, 2)):
            place, value = draw.choice(people), draw.choice(odd)
            name = draw.choice(["to", "subject", "headers", "custom_args", "substitutions", "send_at", "other"])
            wrapped: Any = {str(draw.choice(["a", "X-A", "To"])): value}
            place[name] = draw.choice(
                [value, wrapped, [wrapped], [{"email": value}], [{"email": "b@example.com", "name": value}]]
            )
        whole = mail(*people)
        if surely_fine(whole, people):
            seen_quickly += 1
            whole["personalizations"] = [dict(p, cc=[]) for p in people]  # a field the quick look does not know
            assert problems(whole, 0) == []
    assert seen_quickly > 300


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"headers": {"Authorization": "Bearer SG.stolen"}}, 401),
        ({"headers": {"Content-Type": "text/plain"}}, 415),
        ({"headers": {"Content-Encoding": "br"}}, 415),
        ({"path": "/v3/mail/sned"}, 404),
        ({"path": "/v3/scopes"}, 405),
    ],
)
def test_strangers_and_odd_requests_are_turned_away(shared: SendGridDouble, change: Json, status: int) -> None:
    response = post(shared, mail(), **change)
    assert (response.status_code, fields(response)) == (status, [None])


def test_what_is_not_json_is_a_bad_request(shared: SendGridDouble) -> None:
    headers = {"Authorization": f"Bearer {shared.api_key}", "Content-Type": "application/json"}
    for body in (b"{", b"[]", b""):
        assert httpx.post(f"{shared.url}/v3/mail/send", content=body, headers=headers, **LOCAL).status_code == 400


def test_thirty_megabytes_are_too_much_and_the_connection_lives_on() -> None:
    with SendGridDouble(keep="none") as sg, httpx.Client(**LOCAL) as client:
        headers = {"Authorization": f"Bearer {sg.api_key}", "Content-Type": "application/json"}
        big = client.post(f"{sg.url}/v3/mail/send", content=b"x" * 30_000_000, headers=headers)
        then = client.post(f"{sg.url}/v3/mail/send", json=mail(), headers=headers)
        assert (big.status_code, then.status_code, len(sg.server.connections)) == (413, 202, 1)


def test_only_verified_senders_may_send_and_only_with_the_scope() -> None:
    with SendGridDouble(senders=["news.example.com"]) as sg:
        assert post(sg, mail()).status_code == 202
        assert post(sg, mail(**{"from": {"email": "a@gmail.com"}})).status_code == 403
    with SendGridDouble(scopes=["mail.batch.create"]) as sg:
        assert post(sg, mail()).status_code == 401


def test_too_many_calls_wait_for_the_reset() -> None:
    clock = FrozenClock()
    with SendGridDouble(clock=clock, rate_limit=(2, 60)) as sg:
        answers = [post(sg, mail()) for _ in range(3)]
        assert [a.status_code for a in answers] == [202, 202, 429]
        assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["1", "0", "0"]
        reset = int(answers[2].headers["X-RateLimit-Reset"])
        assert 0 < reset - clock.now.timestamp() <= 60
        clock.advance(timedelta(seconds=60))
        assert post(sg, mail()).status_code == 202
        assert sg.accepted_count == 3
