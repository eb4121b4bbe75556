"""The content library on one page: persona × stage × language, with the holes. For marketing, on this machine only."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request, Response

from nurture.checks import content_coverage
from nurture.rendering.translations import read_words
from nurture.rules.planning.content_assets import STAGES, CoverageCell
from nurture.web.dependencies import Dependencies
from nurture.web.middleware import is_local


@dataclass(frozen=True, slots=True)
class StageTab:
    """One stage of the matrix: how many cells it has, and how many of them are holes."""

    stage: str
    market: str
    holes: int
    cells: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class PersonaRow:
    """One persona at the chosen stage, a cell for each language."""

    persona: str
    cells: list[CoverageCell]


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """What content.html shows."""

    tabs: list[StageTab]
    rows: list[PersonaRow]
    chosen: StageTab


def routes(web: Dependencies) -> APIRouter:
    """`/content`."""
    router = APIRouter()

    @router.api_route("/content", methods=["GET", "HEAD"])
    def show_library(request: Request, stage: str = "") -> Response:
        if not is_local(request):
            raise HTTPException(403, "This page can only be read on the machine it is on, at http://127.0.0.1.")
        return web.pages.page("content.html", library_page(content_coverage.shared(web.settings.templates), stage))

    return router


def library_page(texts: Mapping[str, str], wanted: str) -> LibraryPage:
    """One stage of the matrix (`wanted`, else the first), a row for each persona, and how many holes each stage has.

    `texts`: the shared files of the templates folder, by their names.
    """
    words, tables = read_words(texts), content_coverage.title_tables()
    languages = [words.default, *(name for name in words.by_language if name != words.default)]
    known = wanted in {stage for stages in STAGES.values() for stage in stages}
    tabs: list[StageTab] = []
    rows: list[PersonaRow] = []
    for market, stages in STAGES.items():
        cells = content_coverage.matrix(texts, market, languages, tables)
        for stage in stages:
            here = [cell for cell in cells if cell.stage == stage]
            chosen = stage == wanted or (not tabs and not known)
            tabs.append(StageTab(stage, market, sum(not cell.assets for cell in here), len(here), chosen))
            if chosen:
                personas = dict.fromkeys(cell.persona for cell in here)
                rows = [PersonaRow(one, [cell for cell in here if cell.persona == one]) for one in personas]
    return LibraryPage(tabs, rows, next(tab for tab in tabs if tab.chosen))
