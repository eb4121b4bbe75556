"""The ledger's arithmetic: every planned message in exactly one group, and the funnel of each campaign."""

from models.queries.ledger import FunnelCount, MessageCount
from nurture.rules.reporting.ledger import CampaignFunnel, LedgerLine, funnels, ledger, ledger_page


def test_a_step_is_one_line_whatever_states_and_reasons_its_messages_have() -> None:
    step = ("pumps", 2, 0, "why-now")
    lines = ledger([
        MessageCount(*step, "accepted", None, 4),
        MessageCount(*step, "skipped", "unsubscribed", 2),
        MessageCount(*step, "skipped", "no_consent", 1),
        MessageCount(*step, "refused", None, 1),
        MessageCount("pumps", 2, 1, "roi-case", "waiting", "quiet_hours", 3),
    ])  # fmt: skip
    reasons = {"no_consent": 1, "not given": 1, "unsubscribed": 2}
    assert lines == [
        LedgerLine(*step, planned=8, accepted=4, skipped=3, refused=1, reasons=reasons),
        LedgerLine("pumps", 2, 1, "roi-case", planned=3, waiting=3),
    ]
    assert all(line.adds_up for line in lines)
    assert not LedgerLine(*step, planned=2, accepted=1).adds_up
    assert "**does not add up**" in ledger_page([LedgerLine(*step, planned=2, accepted=1)], [])


def test_the_funnel_has_a_row_for_each_campaign_that_anybody_entered_but_none_for_mails_to_sales() -> None:
    found = funnels(
        [
            FunnelCount("pumps", "entered", 5),
            FunnelCount("pumps", "opened", 3),
            FunnelCount("sale", "mailed", 2),
            FunnelCount("sale", "earned_cents", 9_900),
            FunnelCount("(sales)", "delivered", 7),  # nobody enters it
            FunnelCount("pumps", "processed", 5),  # a kind of event that is no stage
        ],
        {"winter"},
    )
    assert found == [
        CampaignFunnel("pumps", entered=5, opened=3),
        CampaignFunnel("sale", mailed=2, earned_cents=9_900),
        CampaignFunnel("winter"),
    ]
