"""One spelling for each mailbox."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.rules.intake import addresses


@pytest.mark.parametrize(
    ("written", "mailbox"),
    [
        ("zoe@foo-soens.example", "zoe@foo-soens.example"),
        ("  Zoe.OBrien@Foo-Soens.Example ", "zoe.obrien@foo-soens.example"),
        ("Zoë O'Brien <zoe@foo-soens.example>", "zoe@foo-soens.example"),
        ('"O\'Brien, Zoë" <zoe@foo-soens.example>', "zoe@foo-soens.example"),
        ("mailto:zoe@foo-soens.example", "zoe@foo-soens.example"),
        ("zoe\u200b@foo-soens.example", "zoe@foo-soens.example"),
        ("zoe+news@foo-soens.example", "zoe+news@foo-soens.example"),
        ("o'brien@foo-soens.example", "o'brien@foo-soens.example"),
        ("info@müller.example", "info@xn--mller-kva.example"),
        ("INFO@MÜLLER.example", "info@xn--mller-kva.example"),
        ("info@xn--mller-kva.example", "info@xn--mller-kva.example"),
        ("zoe\u0308@foo.example", "zoë@foo.example"),
        ("用户@例子.中国", "用户@xn--fsqu00a.xn--fiqs8s"),
        ("zoe@foo-soens.example;", "zoe@foo-soens.example"),
    ],
)
def test_however_it_is_written_a_mailbox_has_one_spelling(written: str, mailbox: str) -> None:
    assert addresses.normalise(written) == mailbox


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "there is no e-mail address"),
        ("zoe", "An email address must have an @-sign"),
        ("zoe@foo,example", "a comma stands where a dot is meant: zoe@foo.example?"),
        ("zoe@foo.example; ruth@foo.example", "there is more than one address; a contact has one"),
        ("zoe@localhost", "The part after the @-sign"),
        ("zoe@foo", "is no domain"),
        ("zoe o@foo.example", "SPACE"),
        ("zoe..o@foo.example", "two periods in a row"),
        ("zoe@-foo.example", "hyphen"),
        ("z" * 65 + "@foo.example", "too long"),
        ("zoe@" + "f" * 64 + ".example", "so many characters"),
        ("zoe@[10.0.0.1]", "bracketed IP"),
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(written: str, why: str) -> None:
    assert addresses.normalise(written) is None
    assert why in addresses.why_not(written)


def test_a_good_address_has_no_complaint() -> None:
    assert addresses.why_not("zoe@foo-soens.example") == ""


def test_desks_are_welcome_and_nobody_is_not() -> None:
    assert addresses.is_role("einkauf@foo.example")
    assert not addresses.is_role("zoe@foo.example")
    assert addresses.nobody_reads("no-reply@foo.example")
    assert not addresses.nobody_reads("info@foo.example")


@given(st.emails() | st.text(max_size=40))
def test_a_mailbox_spelled_once_stays_as_it_is(written: str) -> None:
    once = addresses.normalise(written)
    if once is not None:
        assert addresses.normalise(once) == once
        assert once == once.lower().strip()
        assert once.rpartition("@")[2].isascii()
        assert addresses.why_not(written) == ""
    else:
        assert addresses.why_not(written)
