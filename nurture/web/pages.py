"""Pages: a template and its words become an answer. Whole in one response, no script, nothing from elsewhere."""

import base64
import hashlib
import tomllib
from collections.abc import Callable, Collection
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from nurture.rules.languages import DEFAULT, language_of
from nurture.runtime.settings import PROJECT, Settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Pages:
    """The pages in `templates/_pages`; an installation's own templates folder may replace any of them."""

    def __init__(self, settings: Settings) -> None:
        self.folders = [folder / "_pages" for folder in (settings.templates, PROJECT / "templates")]
        self.environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in self.folders]),
            autoescape=True,
            undefined=StrictUndefined,  # a misspelt placeholder is an error, not a gap on a page
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals = {"company": settings.company, "style": self.style}
        zone = ZoneInfo(settings.sales_zone)
        self.environment.filters |= {"moment": moments(zone), "day": days(zone), "ago": ago, "ahead": ahead}

    @cached_property
    def style(self) -> str:
        """The one style sheet of all pages."""
        return self._file("style.css")

    @cached_property
    def words(self) -> dict[str, dict[str, str]]:
        """What recipients read, for each language that the file speaks; English where a language lacks a word."""
        told = tomllib.loads(self._file("words.toml"))
        return {language: told[DEFAULT] | words for language, words in told.items()}

    @cached_property
    def policy(self) -> str:
        """Our own style, named by its hash, and nothing else: no script, no frame around us."""
        digest = base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()
        return (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; frame-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )

    def page(
        self, template: str, values: "DataclassInstance | None" = None, status: int = 200, language: str = "en"
    ) -> HTMLResponse:
        """A page as the answer to a request. `values`: what the template may name, a field each."""
        named = {field.name: getattr(values, field.name) for field in fields(values)} if values else {}
        html = self.environment.get_template(template).render(language=language, **named)
        headers = {"Content-Security-Policy": self.policy, "Content-Language": language, "Cache-Control": "no-store"}
        return HTMLResponse(html, status, headers)

    def _file(self, name: str) -> str:
        path = next(folder / name for folder in self.folders if (folder / name).exists())
        return path.read_text(encoding="utf-8")


def language_to_speak(spoken: Collection[str], locale: str | None, accepted: str | None = None) -> str:
    """Of the languages we speak: the lead's own, else the first their browser asks for, else English."""
    wanted = [locale] if locale else [part.partition(";")[0] for part in (accepted or "").split(",")[:20]]
    known = (language_of(tag.strip()) for tag in wanted)
    return next((language for language in known if language in spoken), DEFAULT)


def moments(zone: ZoneInfo) -> Callable[[datetime | None], str]:
    """The filter that writes a moment on the clock of our own people: Tue, 3 Mar, 10:00 CET"""

    def moment(value: datetime | None) -> str:
        return format_datetime(value, "EEE, d MMM, HH:mm z", zone, locale="en_GB") if value else "–"

    return moment


def days(zone: ZoneInfo) -> Callable[[datetime | None], str]:
    """The filter that writes a day that somebody named without an hour: Tue, 3 Mar"""

    def day(value: datetime | None) -> str:
        return format_datetime(value, "EEE, d MMM", zone, locale="en_GB") if value else "–"

    return day


def ago(value: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    words = _span(now - value)
    return f"{words} ago" if words else "just now"


def ahead(value: datetime, now: datetime) -> str:
    """How long until then, in the largest unit that fits."""
    words = _span(value - now)
    return f"in {words}" if words else "now"


def _span(gone: timedelta) -> str:
    for unit, span in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if gone >= span:
            n = gone // span
            return f"{n} {unit}{'s' if n > 1 else ''}"
    return ""
