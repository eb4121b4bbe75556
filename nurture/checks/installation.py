"""The doctor: is everything in place to run, to send and to hear back? One line each, with the remedy."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Engine, inspect, text

from nurture.channels import registry
from nurture.checks import campaign
from nurture.config import sales as sales_file
from nurture.config import scoring
from nurture.runtime import database
from nurture.runtime.settings import Settings

ENOUGH_DISK = 1 << 30  # bytes: a million events and their index


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`state`: ok, note (works, but know this) or ill (will not work)."""

    what: str
    state: str
    said: str
    remedy: str = ""


def examine(settings: Settings, engine: Engine) -> Iterator[CheckResult]:
    """All findings, each on its own: one that fails does not hide the next."""
    for what, look in LOOKS.items():
        try:
            yield look(what, settings, engine)
        except Exception as error:  # a doctor does not faint
            yield CheckResult(what, "ill", str(error).splitlines()[0] if str(error) else type(error).__name__)


def _database(what: str, settings: Settings, engine: Engine) -> CheckResult:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    has, newest = database.revision(engine)
    if has != newest:
        said = f"its tables are of migration {has}, this program wants {newest}" if has else "still empty"
        return CheckResult(what, "note", said, "the first command that works with data makes or mends the tables")
    return CheckResult(what, "ok", f"{engine.dialect.name}, migration {has}")


def _durable(what: str, settings: Settings, engine: Engine) -> CheckResult:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            kept = connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        else:
            kept = connection.exec_driver_sql("SHOW synchronous_commit").scalar() != "off"
    if not kept:
        return CheckResult(
            what,
            "ill",
            "a committed row may be lost in a power cut, and a letter sent twice after it",
            "set synchronous_commit = on in postgresql.conf",
        )
    return CheckResult(what, "ok", "what is committed survives a power cut")


def _letters(what: str, settings: Settings, engine: Engine) -> CheckResult:
    problems = campaign.check(settings.templates, None, settings.clock().date())
    if problems:
        state = "ill" if problems[0].weight == "error" else "note"  # errors come first
        return CheckResult(what, state, f"{len(problems)} to look at, the first: {problems[0]}", "nurture check")
    return CheckResult(what, "ok", "every letter can be written")


def _scoring(what: str, settings: Settings, engine: Engine) -> CheckResult:
    rules = scoring.read(settings.rules / "scoring.toml")
    return CheckResult(what, "ok", f"scoring.toml, version {rules.version}")


def _time(what: str, settings: Settings, engine: Engine) -> CheckResult:
    sales = sales_file.read(settings.rules)
    if sales is None:
        said = f"no {sales_file.FILE}: leads go to sales from a score of {settings.mql_score:g} on"
        return CheckResult(what, "ok", f"{said}, however busy they are")
    return CheckResult(what, "ok", f"{len(sales.reps)} reps in {sales_file.FILE}, version {sales.version}")


def _drift(what: str, settings: Settings, engine: Engine) -> CheckResult:
    """What the last look at the learned scores found."""
    from models import learned_parameter

    if not inspect(engine).has_table("learned_parameter"):
        return CheckResult(what, "ok", "nobody has looked yet")
    with database.reading(engine) as session:
        last = learned_parameter.newest(session, learned_parameter.LearnedSubject.DRIFT, settings.clock())
    if last is None:
        return CheckResult(what, "ok", "nobody has looked yet")
    moved = any(one["moved"] for one in last.body["markets"].values())
    remedy = "look at the leads that came in lately; a new model is learned every week" if moved else ""
    return CheckResult(what, "note" if moved else "ok", last.words, remedy)


def _channel(what: str, settings: Settings, engine: Engine) -> CheckResult:
    if settings.channel == "mailbox":
        told = f"the mailbox: nothing leaves this machine, mails are files below {settings.var}"
        return CheckResult(what, "note", told, "NURTURE_CHANNEL=sendgrid sends for real")
    try:
        found = registry.channel(settings)
    except registry.ChannelNotConfigured as error:
        return CheckResult(what, "ill", f"no mail can leave: {error}", "correct the setting, or use the mailbox")
    return CheckResult(what, "ok", str(found))


def _events(what: str, settings: Settings, engine: Engine) -> CheckResult:
    if settings.channel == "sendgrid" and not settings.sendgrid_webhook_key:
        return CheckResult(
            what,
            "ill",
            "no key to verify SendGrid's events with: bounces and complaints would be refused",
            "set SENDGRID_WEBHOOK_KEY to the public key of the Event Webhook's settings page",
        )
    return CheckResult(
        what,
        "ok",
        f"{settings.web_url}/events/sendgrid" + ("" if settings.sendgrid_webhook_key else " (no key yet: refuses all)"),
    )


def _links(what: str, settings: Settings, engine: Engine) -> CheckResult:
    if settings.channel == "sendgrid" and not settings.web_url.startswith("https://"):
        return CheckResult(
            what,
            "ill",
            f"recipients cannot unsubscribe at {settings.web_url}",
            "set NURTURE_WEB_URL to your https address",
        )
    return CheckResult(what, "ok", f"unsubscribe and handoff pages at {settings.web_url}")


def _send_pauses(what: str, settings: Settings, engine: Engine) -> CheckResult:
    from models.send_pause import EVERYTHING, RESTORE_GUARD, send_pauses

    if database.revision(engine)[0] is None:
        return CheckResult(what, "ok", "nothing is paused")
    with database.reading(engine) as session:
        pauses = send_pauses(session).why_of
    if pauses:
        said = "; ".join(f"{scope.name or scope.kind}: {why}" for scope, why in pauses.items())
        first = next((scope for scope in (RESTORE_GUARD, EVERYTHING) if scope in pauses), min(pauses))
        which = "--restored" if first == RESTORE_GUARD else first.name
        return CheckResult(what, "note", f"paused: {said}", f"nurture resume {which}".rstrip())
    return CheckResult(what, "ok", "nothing is paused")


def _memory(what: str, settings: Settings, engine: Engine) -> CheckResult:
    """Does the database remember everything that was sent?"""
    from models import restore_guard
    from nurture.rules.delivery.restore_guard import RestoreMark, why_nothing_may_leave
    from nurture.runtime.restore_guard import restore_mark_file

    if (file := restore_mark_file(settings)) is None or database.revision(engine)[0] is None:
        return CheckResult(what, "ok", "nothing was sent from here")
    with database.reading(engine) as session:
        row = restore_guard.guard_state(session)
    if why := why_nothing_may_leave(RestoreMark(row.name, row.mark) if row else None, file.read(), str(file.path)):
        return CheckResult(what, "ill", why, "find out what was sent since, then nurture resume --restored")
    said = f"the database remembers everything that was sent ({file.path})"
    if row and row.confirmed_at:
        said += f", as {row.confirmed_by} said on {row.confirmed_at:%Y-%m-%d} after a restore"
    return CheckResult(what, "ok", said)


def _reception(what: str, settings: Settings, engine: Engine) -> CheckResult:
    """What readers think, before it is so bad that sending stops."""
    from models.queries.deliverability import reception
    from nurture.rules.delivery import circuit_breaker

    if database.revision(engine)[0] is None:
        return CheckResult(what, "ok", "nothing was sent yet")
    with database.reading(engine) as session:
        rows = reception(session, settings.clock() - circuit_breaker.WINDOW)
    said = []
    for domain in sorted({row.domain for row in rows}):
        mine = [row for row in rows if row.domain == domain]
        how = circuit_breaker.health(
            sum(row.accepted for row in mine), sum(row.complained for row in mine), sum(row.bounced for row in mine)
        )
        said += [f"{domain}: {how.sentence} ({how.level})"] if how.sentence else []
    if said:
        return CheckResult(what, "note", "; ".join(said), "look at the last letters and where these readers came from")
    return CheckResult(what, "ok", "no sending domain has too many complaints or dead mailboxes this week")


def _disk(what: str, settings: Settings, engine: Engine) -> CheckResult:
    settings.var.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.var).free
    return CheckResult(
        what,
        "ok" if free > ENOUGH_DISK else "ill",
        f"{free / 1e9:,.1f} GB free below {settings.var}",
        "" if free > ENOUGH_DISK else "make room: a full disk stops sending",
    )


LOOKS: dict[str, Callable[[str, Settings, Engine], CheckResult]] = {
    "database": _database,
    "durability": _durable,
    "letters": _letters,
    "scoring": _scoring,
    "sales' time": _time,
    "drift": _drift,
    "channel": _channel,
    "events": _events,
    "links": _links,
    "send pauses": _send_pauses,
    "readers": _reception,
    "memory": _memory,
    "disk": _disk,
}
