"""The content library on one page: persona × stage × language, with the holes. For marketing, on this machine only."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from models.contact import Market
from nurture.checks import content_coverage
from nurture.rendering.translations import read_words
from nurture.rules.planning.content_assets import STAGES
from nurture.web.dependencies import Dependencies
from nurture.web.middleware import is_local


def routes(web: Dependencies) -> APIRouter:
    router = APIRouter()

    @router.api_route("/content", methods=["GET", "HEAD"])
    def look(request: Request, stage: str = "") -> Response:
        if not is_local(request):
            raise HTTPException(403, "This page can only be read on the machine it is on, at http://127.0.0.1.")
        return web.pages.page("content.html", matrix_page(content_coverage.shared(web.settings.templates), stage))

    return router


def matrix_page(texts: Mapping[str, str], wanted: str) -> dict[str, Any]:
    """One stage of the matrix, a row for each persona, and how many holes each stage has."""
    words, tables = read_words(texts), content_coverage.title_tables()
    languages = [words.default, *(name for name in words.by_language if name != words.default)]
    tabs: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for market, stages in STAGES.items():
        cells = content_coverage.matrix(texts, market, languages, tables)
        for stage in stages:
            here = [cell for cell in cells if cell.stage == stage]
            holes = sum(not cell.pieces for cell in here)
            chosen = stage == wanted or (not tabs and wanted not in {one for many in STAGES.values() for one in many})
            tabs.append({"stage": stage, "market": market, "holes": holes, "cells": len(here), "chosen": chosen})
            if chosen:
                personas = dict.fromkeys(cell.persona for cell in here)
                rows = [{"persona": one, "cells": [c for c in here if c.persona == one]} for one in personas]
    return {"tabs": tabs, "rows": rows, "chosen": next(tab for tab in tabs if tab["chosen"]), "b2b": Market.B2B.value}
