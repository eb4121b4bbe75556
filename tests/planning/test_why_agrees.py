"""`why`, asked just before a planning run, says of every lead exactly what the run then does."""

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event

from nurture.planning import content
from nurture.rules.reasons import Exit, Reason, Send, Skip, Wait
from tests.planning.history import NOBODY, TERMS, History, disagreement

MORNINGS = 3


def live(engine: Engine, seed: int, mornings: int = MORNINGS) -> Iterator[str | Reason]:
    """A history: what `why` foretold of everybody, morning by morning. Fails where the run did something else."""
    history = History(engine, seed)
    for _ in range(mornings):
        for slug in TERMS:
            said, before = history.foretell(slug), history.where_leads_stand(slug)
            history.run(slug)
            after = history.where_leads_stand(slug)
            for address in history.addresses:
                wrong = disagreement(said[address], before.get(address, NOBODY), after.get(address, NOBODY))
                assert wrong is None, f"seed {seed}, {history.now:%d %B}, {slug}, {address}: {wrong}"
                match said[address].next:
                    case Send():
                        yield "sent"
                    case Skip(reason=reason) | Wait(reason=reason) | Exit(reason=reason):
                        yield reason
        history.night()


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """SQLite here need not survive a power cut: no fsync, which takes longer than everything else."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    return engine


@pytest.mark.parametrize("seed", range(2))
def test_the_run_does_what_why_said(engine: Engine, seed: int) -> None:
    if engine.dialect.name == "postgresql" and seed > 0:
        pytest.skip("a short share on PostgreSQL")
    met = Counter(live(engine, seed))
    assert len(met) > 4, f"a history in which hardly anything happens: {met}"


@pytest.mark.hunt
@pytest.mark.parametrize("seed", range(2, 60))
def test_the_run_does_what_why_said_in_many_histories(engine: Engine, seed: int) -> None:
    Counter(live(engine, seed, 14))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_run_that_forgets_the_content_history_is_caught(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: planted into the load of the run, and `why` still knows what people have had."""
    real = content.content_had
    asked_by_run = []

    def forgetful(*given: object) -> dict[int, set[str]]:
        return {contact_id: set() for contact_id in real(*given)} if asked_by_run else real(*given)  # type: ignore[arg-type]

    def run(history: History, slug: str) -> None:
        asked_by_run.append(slug)
        try:
            whole(history, slug)
        finally:
            asked_by_run.clear()

    whole = History.run
    monkeypatch.setattr(content, "content_had", forgetful)
    monkeypatch.setattr(History, "run", run)
    with pytest.raises(AssertionError, match="But the run made"):
        Counter(reason for reason in live(engine, 2, 8))
