"""The shape of docs/architecture.md: nine nouns in every layer, and no tool outside the import contract."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOUNS = ("intake", "scoring", "segmentation", "sequences", "promotions", "delivery", "feedback", "handoff", "reporting")


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_has_its_rule_its_order_and_its_flow(noun: str) -> None:
    for layer in ("nurture/rules", "tasks", "flows"):
        assert (ROOT / layer / f"{noun}.py").is_file(), f"{layer}/{noun}.py"


def test_every_tool_stands_in_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "one-way")
    named = {name for layer in layers for name in layer.replace("|", ":").replace(" ", "").split(":")}
    there = {
        f"nurture.{path.stem}"
        for path in (ROOT / "nurture").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert there - {"nurture.__init__", "nurture.__main__"} <= named


def test_nothing_below_the_tools_reads_the_clock() -> None:
    for folder in ("models", "nurture/rules", "tasks"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text("utf-8")
            for reader in ("datetime.now(", "utcnow(", "date.today("):
                assert reader not in text, f"{file.relative_to(ROOT)} reads the clock: take `now`"
