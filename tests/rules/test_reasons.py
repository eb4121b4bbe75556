"""Every reason has its sentence, and the page that lists them tells the truth."""

from pathlib import Path

from nurture.rules.reasons import SENTENCES, SUPPRESSED, Reason

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_every_reason_has_one_sentence_and_stands_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    assert set(SENTENCES) == set(Reason)
    for reason, sentence in SENTENCES.items():
        assert f"| `{reason}` | {sentence} |" in page, f"docs/reasons.md lacks {reason}"


def test_whatever_suppressed_an_address_has_a_reason() -> None:
    from models.address import SuppressedBy

    assert set(SUPPRESSED) == {str(by) for by in SuppressedBy}
