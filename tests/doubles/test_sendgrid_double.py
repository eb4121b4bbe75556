"""The double of SendGrid takes, loses and fails as it says. Asked over real HTTP, by two independent clients."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sendgrid
from python_http_client.exceptions import BadRequestsError, UnauthorizedError

from tests.doubles.sendgrid import BEHAVIOURS, Fault, SendGridDouble, UnknownFault, read_journal
from tests.doubles.sendgrid.asking import LOCAL, crowd, fields, mail, person, post
from tests.doubles.sendgrid.limits import Json

ROOT = Path(__file__).parents[2]


# --- what is taken ---------------------------------------------------------------------------------


def test_a_mail_is_taken_with_an_id_and_an_empty_body() -> None:
    with SendGridDouble() as sg:
        response = post(
            sg, mail(person("lead@example.com", custom_args={"nt_message": "1"}), categories=["spring-sale"])
        )
        assert (response.status_code, response.content) == (202, b"")
        (letter,) = sg.accepted
        assert letter.message_id == response.headers["X-Message-Id"]
        assert letter.sg_message_id.startswith(letter.message_id + ".")
        assert (letter.to, letter.subject, letter.html) == ("lead@example.com", "Foo & Søns <GmbH>", "<p>Hello</p>")
        assert (letter.custom_args, letter.categories) == ({"nt_message": "1"}, ["spring-sale"])


def test_the_real_client_is_understood() -> None:
    with SendGridDouble() as sg:
        client = sendgrid.SendGridAPIClient(sg.api_key, host=sg.url)
        response = client.send(mail(person("lead@example.com")))
        assert response.status_code == 202
        assert response.headers["X-Message-Id"] == sg.accepted[0].message_id
        with pytest.raises(BadRequestsError) as refused:
            client.send(mail(person("not an address")))
        assert refused.value.to_dict["errors"][0]["field"] == "personalizations.0.to.0.email"
        with pytest.raises(UnauthorizedError):
            sendgrid.SendGridAPIClient("SG.wrong", host=sg.url).send(mail())
        assert json.loads(client.client.scopes.get().body)["scopes"] == sorted(sg.scopes)


def test_a_thousand_recipients_fit_into_one_request() -> None:
    with SendGridDouble(keep="keys") as sg:
        assert post(sg, mail(*crowd(1000))).status_code == 202
        assert [letter.custom_args["nt_message"] for letter in sg.accepted] == [str(n) for n in range(1000)]
        assert sg.accepted[0].html == ""  # only keys were asked for


def test_sandbox_mode_validates_and_keeps_nothing() -> None:
    with SendGridDouble() as sg:
        response = post(sg, mail(mail_settings={"sandbox_mode": {"enable": True}}))
        assert (response.status_code, sg.accepted, sg.sandboxed) == (200, [], 1)
        assert "X-Message-Id" not in response.headers


def test_a_compressed_body_is_read() -> None:
    with SendGridDouble() as sg:
        headers = {
            "Authorization": f"Bearer {sg.api_key}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        body = gzip.compress(json.dumps(mail()).encode())
        assert httpx.post(f"{sg.url}/v3/mail/send", content=body, headers=headers, **LOCAL).status_code == 202


def test_one_connection_carries_many_requests() -> None:
    with SendGridDouble(keep="none") as sg, httpx.Client(**LOCAL) as client:
        for _ in range(20):
            client.post(f"{sg.url}/v3/mail/send", json=mail(), headers={"Authorization": f"Bearer {sg.api_key}"})
        assert (sg.accepted_count, len(sg.server.connections)) == (20, 1)


def test_a_long_unsubscribe_header_arrives_broken() -> None:
    short, long = f"<https://l.example.com/u/{'x' * 43}>", f"<https://l.example.com/u/{'x' * 80}>"
    with SendGridDouble() as sg:
        post(
            sg,
            mail(*(person(f"{n}@example.com", headers={"List-Unsubscribe": v}) for n, v in enumerate((short, long)))),
        )
        assert sg.accepted[0].headers["List-Unsubscribe"] == short
        assert sg.accepted[1].headers["List-Unsubscribe"].startswith("=?us-ascii?Q?")


# --- substitutions ---------------------------------------------------------------------------------


def tagged(words: dict[str, str], text: str) -> Json:
    return mail(person(substitutions=words), subject=text, content=[{"type": "text/plain", "value": text}])


def test_hard_delimited_tags_are_replaced_in_every_part() -> None:
    with SendGridDouble() as sg:
        words = {"-nt0001-": "Zoë O'Brien", "-nt0002-": "Foo & Søns"}
        assert post(sg, tagged(words, "Hi -nt0001- of -nt0002-")).status_code == 202
        assert sg.accepted[0].subject == sg.accepted[0].text == "Hi Zoë O'Brien of Foo & Søns"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"-name": "Zoë", "-name2": "Jan"}, "Hi -name2"),                 # one tag inside another
        ({"-nt0001-": "-nt0002-", "-nt0002-": "x"}, "Hi -nt0001-"),       # a value that is a tag
        ({"-nt0001-": "a-nt0001-"}, "Hi -nt0001-"),                       # a value that holds its own tag: never stable
        ({"-nt0001-": "-nt00", "-nt0002-": "x"}, "-nt0001-02-"),          # a value that completes one
    ],
)  # fmt: skip
def test_a_letter_that_depends_on_the_order_is_a_failure(words: dict[str, str], text: str) -> None:
    with SendGridDouble(keep="none") as sg:
        response = post(sg, tagged(words, text))
        assert (response.status_code, sg.accepted_count) == (400, 0)
        assert fields(response)[0] == "personalizations.0.substitutions"
        assert {d.part for d in sg.disagreements} == {"subject", "text"}
        sg.disagreements.clear()


def test_a_tag_one_recipient_lacks_is_a_failure_that_cannot_be_overlooked() -> None:
    two = [person("a@example.com", substitutions={"-nt0001-": "x"}), person("b@example.com", substitutions={})]
    with pytest.raises(AssertionError, match="unreplaced -nt0001-"), SendGridDouble() as sg:
        assert post(sg, mail(*two, subject="Hi -nt0001-")).status_code == 400


# --- faults ----------------------------------------------------------------------------------------

SEEN_AS: dict[str, Any] = {
    "ok": 202, "slow": 202,
    "accept_then_cut": httpx.TransportError, "accept_then_hang": httpx.ReadTimeout,
    "accept_then_500": 500, "accept_then_503": 503, "accept_then_504": 504,
    "truncated": httpx.RemoteProtocolError,
    "500": 500, "502": 502, "503": 503, "504": 504, "429": 429, "401": 401, "403": 403, "refuse_recipient": 400,
    "read_then_cut": httpx.TransportError, "hang": httpx.ReadTimeout, "stop_listening": httpx.TransportError,
}  # fmt: skip


def seen_by(sg: SendGridDouble) -> tuple[int | type[Exception], httpx.Response | None]:
    try:
        response = post(sg, mail(*crowd(4)), timeout=0.3)
    except httpx.TransportError as error:
        return type(error), None
    return response.status_code, response


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_each_fault_is_what_its_name_says(name: str) -> None:
    script = [Fault(name, seconds=0.05, index=3)]
    with SendGridDouble(faults=script) as sg:
        seen, response = seen_by(sg)
        assert seen == SEEN_AS[name] or (isinstance(seen, type) and issubclass(seen, SEEN_AS[name]))
        if response is not None:
            assert ("X-Message-Id" in response.headers) == (seen == 202)
        if name == "refuse_recipient":
            assert response is not None
            assert fields(response) == ["personalizations.3.to"]
        if name == "429":
            assert response is not None
            assert int(response.headers["X-RateLimit-Reset"]) >= time.time() - 1
        assert sg.accepted_count == (4 if BEHAVIOURS[name].takes else 0)
        if name == "stop_listening":
            sg.resume()
        assert post(sg, mail()).status_code == 202  # the script is used up


def test_the_real_client_takes_a_cut_answer_for_success() -> None:
    """Why an answer without X-Message-Id is unknown: the client reports 202 for half a status line."""
    with SendGridDouble(faults=["truncated", "accept_then_cut"]) as sg:
        client = sendgrid.SendGridAPIClient(sg.api_key, host=sg.url)
        response = client.send(mail())
        assert (response.status_code, response.headers["X-Message-Id"]) == (202, None)
        with pytest.raises((urllib.error.URLError, ConnectionError, http.client.HTTPException)):
            client.send(mail())
        assert sg.accepted_count == 2


def test_a_host_that_is_gone_refuses_connections_until_it_is_back() -> None:
    with SendGridDouble() as sg:
        sg.stop_listening()
        with pytest.raises(httpx.ConnectError):
            post(sg, mail())
        sg.resume()
        assert post(sg, mail()).status_code == 202


def test_a_poison_recipient_fails_its_request_with_or_without_a_name() -> None:
    with SendGridDouble() as sg:
        sg.poison = {"lead2@example.com": True}
        assert fields(post(sg, mail(*crowd(4)))) == ["personalizations.2.to"]
        sg.poison = {"lead2@example.com": False}
        assert fields(post(sg, mail(*crowd(4)))) == [None]
        assert post(sg, mail(*crowd(2))).status_code == 202


def test_the_same_seed_draws_the_same_faults() -> None:
    def fates(seed: int) -> list[int]:
        with SendGridDouble(keep="none", seed=seed, mix={"500": 0.3, "accept_then_503": 0.2}) as sg:
            return [post(sg, mail()).status_code for _ in range(30)]

    assert fates(1) == fates(1) != fates(2)
    assert set(fates(1)) == {202, 500, 503}


def test_a_misspelt_fault_is_told_the_right_names() -> None:
    with pytest.raises(UnknownFault, match="accept_then_cut"):
        Fault("accept_then_cutt")


# --- the process -----------------------------------------------------------------------------------


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    journal = tmp_path / "journal"
    command = [
        sys.executable,
        "-m",
        "tests.doubles.sendgrid",
        "--journal",
        str(journal),
        "--delay-ms",
        "1",
        "--mix",
        "500=0",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        yield running, json.loads(running.stdout.readline())["url"], journal
        running.kill()


def send_to(url: str, *people: Json) -> httpx.Response:
    headers = {"Authorization": "Bearer SG.double"}
    return httpx.post(f"{url}/v3/mail/send", json=mail(*people), headers=headers, **LOCAL)


def test_a_killed_process_leaves_its_journal(process: tuple[subprocess.Popen[str], str, Path]) -> None:
    running, url, journal = process
    ids = [send_to(url, *crowd(n)).headers["X-Message-Id"] for n in (1, 1000)]
    before = time.monotonic_ns()
    running.send_signal(signal.SIGKILL)
    assert running.wait(5) == -signal.SIGKILL
    lines = read_journal(journal)
    assert [line["request"] for line in lines] == ids[:1] + ids[1:] * 1000
    assert lines[-1]["to"] == "lead999@example.com"
    assert lines[-1]["custom_args"] == {"nt_message": "999"}
    assert lines[-1]["mono_ns"] < before

    with journal.open("ab") as torn:
        torn.write(b'{"kind":"accepted","request":"torn","of":2,"mono_ns":1,"to":"a@example.com"}\n{"kind":"acc')
    with SendGridDouble(journal=journal) as sg:
        post(sg, mail(person("next@example.com")))
        assert sg.accepted[0].message_id not in ids  # same seed, another life
    assert [line["to"] for line in read_journal(journal)[1001:]] == ["next@example.com"]


def test_a_terminated_process_says_what_it_saw(process: tuple[subprocess.Popen[str], str, Path]) -> None:
    running, url, _ = process
    assert running.stdout
    state = httpx.post(f"{url}/_double/faults", json={"script": ["503", {"name": "slow", "seconds": 0.01}]}, **LOCAL)
    assert state.json()["accepted"] == 0
    assert [send_to(url).status_code for _ in range(3)] == [503, 202, 202]
    wrong = httpx.post(f"{url}/_double/faults", json={"script": ["503s"]}, **LOCAL)
    assert (wrong.status_code, "no fault is called" in wrong.text) == (400, True)
    running.terminate()
    last = json.loads(running.stdout.readline())["state"]
    assert (running.wait(5), last["accepted"], last["faults"]) == (0, 2, {"503": 1, "slow": 1})
    assert os.path.getsize(process[2]) > 0


def test_control_is_for_the_process_only() -> None:
    with SendGridDouble() as sg:
        assert post(sg, {}, path="/_double/faults").status_code == 404
