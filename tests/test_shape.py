"""The shape of docs/architecture.md: nine nouns in every layer, and no room outside the import contract."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {  # a noun → where it is decided and done; its flow bears its name
    "intake": ("nurture/rules/intake", "tasks/intake.py"),
    "scoring": ("nurture/rules/scoring", "tasks/scoring"),
    "segmentation": ("nurture/rules/segmentation", "tasks/segmentation.py"),
    "sequences": ("nurture/rules/planning/sequences.py", "tasks/planning/sequences.py"),
    "promotions": ("nurture/rules/planning/promotions.py", "tasks/planning/promotions.py"),
    "delivery": ("nurture/rules/delivery", "tasks/delivery"),
    "feedback": ("nurture/rules/feedback", "tasks/feedback.py"),
    "handoff": ("nurture/rules/handoff", "tasks/handoff.py"),
    "reporting": ("nurture/rules/reporting", "tasks/reporting.py"),
}


@pytest.mark.parametrize("noun", ROOMS)
def test_a_noun_has_its_rule_its_task_and_its_flow(noun: str) -> None:
    for place in (*ROOMS[noun], f"flows/{noun}.py"):
        assert (ROOT / place).exists(), place


def test_every_room_stands_in_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "one-way")
    named = {name for layer in layers for name in layer.replace("|", ":").replace(" ", "").split(":")}
    there = {
        f"nurture.{path.stem}"
        for path in (ROOT / "nurture").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert there - {"nurture.__init__", "nurture.__main__"} <= named


def test_nothing_below_the_rooms_reads_the_clock() -> None:
    for folder in ("models", "nurture/rules", "tasks"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text("utf-8")
            for reader in ("datetime.now(", "utcnow(", "date.today("):
                assert reader not in text, f"{file.relative_to(ROOT)} reads the clock: take `now`"
