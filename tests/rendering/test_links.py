"""Links: nobody can guess one, bend one to another purpose or another person, or lose one to a clock."""

import stat
import string
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from nurture.rendering.links import HANDOFF, SALES, UNSUBSCRIBE, Links, links_for
from nurture.runtime.settings import Settings

OLD, NEW = "the-secret-of-last-year", "the-secret-of-this-year"
HOST = "https://mail.foo-soens.example"


@pytest.fixture
def links() -> Links:
    return Links([NEW], HOST)


def test_a_token_says_which_row_it_speaks_of(links: Links, now: datetime) -> None:
    assert links.read(UNSUBSCRIBE, links.token(UNSUBSCRIBE, 4912), now) == 4912


def test_the_unsubscribe_header_stays_short_enough_to_get_its_button(links: Links) -> None:
    a_trillion_letters_later = 10**12
    assert len(links.token(UNSUBSCRIBE, 10**18 - 1)) <= 43
    assert len(f"<{links.unsubscribe(a_trillion_letters_later)}>") <= 77


def test_changing_any_one_character_makes_a_stranger_of_it(links: Links, now: datetime) -> None:
    for token in (links.token(UNSUBSCRIBE, 1234), links.token(HANDOFF, 1234, now + timedelta(days=1))):
        purpose = HANDOFF if token.count(".") == 2 else UNSUBSCRIBE
        for place in range(len(token)):
            for character in string.printable + "é٣\0":
                forged = token[:place] + character + token[place + 1 :]
                assert links.read(purpose, forged, now) == (1234 if forged == token else None), forged
                longer = token[:place] + character + token[place:]
                assert links.read(purpose, longer, now) is None, (
                    longer
                )  # base64 readers skip characters they don't know
        assert links.read(purpose, token + "=", now) is None


@pytest.mark.parametrize(
    "nonsense", ["", ".", "..", "1", "1.", ".x", "0", "-1", "1.2.3.4", "9" * 5000, "\ud800", "1." + "A" * 24]
)
def test_nonsense_is_nobody(links: Links, now: datetime, nonsense: str) -> None:
    assert links.read(UNSUBSCRIBE, nonsense, now) is None


def test_a_link_opens_one_kind_of_door(links: Links, now: datetime) -> None:
    for purpose in (UNSUBSCRIBE, HANDOFF, SALES):
        readable_as = [p for p in (UNSUBSCRIBE, HANDOFF, SALES) if links.read(p, links.token(purpose, 7), now)]
        assert readable_as == [purpose]


def test_after_a_change_of_secret_old_links_work_and_new_links_use_the_new_one(now: datetime) -> None:
    before, after, later = Links([OLD], HOST), Links([NEW, OLD], HOST), Links([NEW], HOST)
    assert after.read(UNSUBSCRIBE, before.token(UNSUBSCRIBE, 7), now) == 7
    assert later.read(UNSUBSCRIBE, after.token(UNSUBSCRIBE, 7), now) == 7
    assert later.read(UNSUBSCRIBE, before.token(UNSUBSCRIBE, 7), now) is None


def test_a_handoff_link_lasts_thirty_days(links: Links, now: datetime) -> None:
    token = links.handoff(7, now).rsplit("/", 1)[1]
    assert links.read(HANDOFF, token, now + timedelta(days=30)) == 7
    assert links.read(HANDOFF, token, now + timedelta(days=30, seconds=1)) is None


def test_an_unsubscribe_link_never_expires_and_a_clock_set_back_does_not_kill_it(links: Links, now: datetime) -> None:
    token = links.unsubscribe(7).rsplit("/", 1)[1]
    assert links.read(UNSUBSCRIBE, token, now + timedelta(days=36500)) == 7
    assert links.read(UNSUBSCRIBE, token, now - timedelta(days=3650)) == 7


def test_without_a_secret_one_is_made_once_and_kept_private(tmp_path: Path, now: datetime) -> None:
    settings = Settings(var=tmp_path, secret="", _env_file=None)
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: links_for(settings).token(UNSUBSCRIBE, 7), range(40)))
    assert len(tokens) == 1
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [f.name for f in tmp_path.iterdir()] == ["secret"]


def test_a_secret_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NURTURE_SECRET is too short"):
        links_for(Settings(var=tmp_path, secret="hunter2", _env_file=None))
