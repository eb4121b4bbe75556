"""docs/extending.md is true: each recipe, applied to a copy of the tree as it is written, gives what it says."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = ("flows", "tasks", "models", "nurture", "templates")
COPIED = (*PRODUCT, "docs", "prefect.yaml", "tests/__init__.py", "tests/support")
STEP = re.compile(
    r"^`(?P<path>[^`\n]+)`, (?P<how>a new file|at the end|(?:after|before|instead of) `(?P<anchor>[^\n]+)`):\n\n"
    r"```\w+\n(?P<lines>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
START = """
import warnings; warnings.simplefilter("error")
import sys
from datetime import UTC, datetime
from pathlib import Path
from nurture.runtime.settings import PROJECT, Settings
assert PROJECT == Path.cwd(), "the copy of the tree is asked, not the tree"
now = datetime(2026, 3, 2, 8, tzinfo=UTC)

def filled(people):
    from models import metadata
    from nurture.runtime import database
    from tests.support.outbox import fill
    engine = database.engine_for(f"sqlite:///{Path.cwd() / 'recipe.db'}")
    metadata.create_all(engine)
    fill(engine, now, people)
    return engine

def problems(slug=None):
    from nurture.checks.campaign import check
    return [f"{problem.file}: {problem.what}" for problem in check(Path("templates"), slug)]
"""


WARM = """
import babel, css_inline, fastapi.testclient, holidays, jinja2, orjson, pydantic_settings, sqlglot, sqlmodel
import json, os, signal, sys, traceback
for line in sys.stdin:
    child = os.fork()
    if not child:
        signal.alarm(300)
        try:
            exec(json.loads(line), {"__name__": "__main__"})
        except BaseException:
            open("told", "w", encoding="utf-8").write(traceback.format_exc())
            os._exit(1)
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""  # other people's packages once, ours anew in a child of its own


class Step(NamedTuple):
    """One edit of a recipe."""

    path: str
    how: str
    anchor: str | None
    lines: str

    def apply(self, tree: Path) -> None:
        """Make the edit as a reader would: a line is found by its words, and there is one of them."""
        file = tree / self.path
        if self.how == "a new file":
            assert not file.exists(), f"{self.path} is there already"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.lines, "utf-8")
            return
        old = file.read_text("utf-8").splitlines(keepends=True)
        if self.how == "at the end":
            file.write_text("".join(old) + self.lines, "utf-8")
            return
        found = [n for n, line in enumerate(old) if line.strip() == (self.anchor or "").strip()]
        assert len(found) == 1, f"{self.path} has {len(found)} lines “{self.anchor}”"
        at = found[0]
        first, last = {"after": (at + 1, at + 1), "before": (at, at), "instead of": (at, at + 1)}[
            self.how.partition(" `")[0]
        ]
        file.write_text("".join([*old[:first], self.lines, *old[last:]]), "utf-8")


def recipes() -> dict[str, list[Step]]:
    """Heading → its edits."""
    page = (ROOT / "docs" / "extending.md").read_text("utf-8")
    parts = re.split(r"(?m)^## (.+)$", page)[1:]
    return {
        name: [Step(**found.groupdict()) for found in STEP.finditer(text)]
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


RECIPES = recipes()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree, copied once."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)  # its bytecode, too: it saves half the time
        else:
            shutil.copy(source, target)
    return folder


@pytest.fixture(scope="module")
def ask(copy: Path) -> Iterator[Callable[[str], str]]:
    """Runs a few lines with the copy's modules, in a process of their own, and says what went wrong ("": nothing)."""
    process = subprocess.Popen(
        [sys.executable, "-c", WARM], cwd=copy, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy), "LANG": "C.UTF-8"},
    )  # fmt: skip
    to, answers = process.stdin, process.stdout
    assert to and answers  # noqa: PT018

    def ask(check: str) -> str:
        to.write(json.dumps(START + check) + "\n")
        to.flush()
        status, told = int(answers.readline()), copy / "told"
        return "" if status == 0 else told.read_text("utf-8") if told.exists() else f"it ended with status {status}"

    yield ask
    to.close()
    process.wait(10)
    answers.close()


@pytest.fixture
def walk(copy: Path, ask: Callable[[str], str]) -> Callable[[str, str], None]:
    """Apply a recipe, run a check in that tree, and put the tree back."""

    def walk_through(recipe: str, check: str) -> None:
        steps = RECIPES[recipe]
        assert steps, recipe
        before = {step.path: (copy / step.path).read_bytes() if (copy / step.path).exists() else None for step in steps}
        try:
            for step in steps:
                step.apply(copy)
            told = ask(check)
        finally:
            for path, was in before.items():
                if was is None:
                    (copy / path).unlink(missing_ok=True)
                else:
                    (copy / path).write_bytes(was)
            (copy / "recipe.db").unlink(missing_ok=True)
        assert not told, told

    return walk_through


def test_the_table_counts_the_files() -> None:
    """Each recipe changes as many product files as the page says, and the page has a row for each recipe."""
    page = (ROOT / "docs" / "extending.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| (an? [^|]+) \| ([^|]+) \| \[below\]\(#([a-z-]+)\) \|$", page)
    assert {anchor for *_, anchor in rows} == {name.lower().replace(" ", "-") for name in RECIPES}
    for what, count, anchor in rows:
        steps = RECIPES[next(name for name in RECIPES if name.lower().replace(" ", "-") == anchor)]
        code = {step.path for step in steps if not _is_text(step.path)}
        if number := re.match(r"\d+", count):
            assert len(code) == int(number[0]), (what, code)
        else:
            assert not code, (what, code)


def _is_text(path: str) -> bool:
    """A guide, or words and letters of a campaign or a language: no product file."""
    return bool(re.search(r"^docs/|^templates/(?!scoring)|title_words/[a-z]{2}\.toml$", path))


def test_a_reason_holds_a_letter_back_and_is_told(walk: Callable[[str, str], None]) -> None:
    walk("A reason not to send", """
from sqlalchemy import select, update
from models import Contact, Enrolment, Message
from nurture.explain.why import why
from nurture.rendering.composer import Composer
from nurture.rules.reasons import Reason
from nurture.runtime import database
from tasks.delivery.outbox import deliver
from tests.support.outbox import Told
engine, settings = filled(2), Settings(var=Path.cwd(), _env_file=None)
with database.writing(engine) as session:
    session.execute(update(Contact).where(Contact.key == "p0").values(country="AQ"))
    for message in session.execute(select(Message)).scalars():
        of = {"campaign": message.campaign, "version_id": message.version_id, "contact_id": message.contact_id}
        session.add(Enrolment(**of, address=message.address, entered_at=now))
done = deliver(engine, lambda: now, Told(), Composer(settings))
assert (done.accepted, done.skipped) == (1, 1), done
with database.reading(engine) as session:
    reason = session.execute(select(Message.reason).where(Message.address == "p0@home.example")).scalar_one()
    told = why(session, now, "p0@home.example", "test").sentence
assert reason == "country_not_served" and "lives where we do not sell" in told, (reason, told)
policy = Reason("country_not_served").policy
row = f"| `country_not_served` | {policy.sentence} | {policy.then.value} | planning, claim, arming |"
assert row in Path("docs/reasons.md").read_text("utf-8"), row
""")  # fmt: skip


def test_a_channel_delivers_a_letter(walk: Callable[[str, str], None]) -> None:
    walk("A channel", """
import orjson
from nurture.channels import registry
from nurture.rendering.composer import Composer
from tasks.delivery.outbox import deliver
engine, settings = filled(3), Settings(var=Path.cwd(), channel="jsonl", _env_file=None)
Path("templates/spring-sale/offer/body.html").rename("body.html")
told = problems("spring-sale")
assert any("body.html" in line for line in told), told
from nurture.checks.campaign import check
needed = check(Path("templates"), "spring-sale", parts=registry.needed_parts(settings))
assert not any(problem.weight == "error" and "missing" in problem.what for problem in needed), needed
Path("body.html").rename("templates/spring-sale/offer/body.html")
done = deliver(engine, lambda: now, registry.channel(settings), Composer(settings))
assert (done.accepted, done.requests) == (3, 1), done
[first, *_] = map(orjson.loads, Path("letters.jsonl").read_bytes().splitlines())
Path("letters.jsonl").unlink()
assert first["to"] == "p0@home.example" and "Hello Zoë" in first["text"] and first["nt_message"], first
""")  # fmt: skip


def test_a_campaign_is_right_at_once(walk: Callable[[str, str], None]) -> None:
    walk("A campaign", """
told = problems("pump-health")
assert not told, told
""")  # fmt: skip


def test_an_endpoint_answers(walk: Callable[[str, str], None]) -> None:
    walk("A web endpoint", """
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
from nurture.web import create_app
app = create_app(Settings(var=Path.cwd(), secret="a secret for tests only", _env_file=None), filled(3))
here = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000))
assert here.get("/waiting").json() == {"waiting": 3}, here.get("/waiting").text
""")  # fmt: skip


def test_a_kind_of_activity_counts_and_has_words(walk: Callable[[str, str], None]) -> None:
    walk("A kind of activity", """
from nurture.config import scoring
from nurture.rules.reporting import timeline
from nurture.web.sales import ACTIVITY_WORDS
rules = scoring.read(Path("templates/scoring.toml"))
assert "fair_visit" in repr(rules)
assert timeline.ACTIVITY_WORDS["fair_visit"][0] == "came to our stand"
assert ACTIVITY_WORDS["fair_visit"] == "Came to our stand"
""")  # fmt: skip


def test_a_buying_role_can_be_had(walk: Callable[[str, str], None]) -> None:
    walk("A buying role", """
from nurture.checks.roles import role_problems
from nurture.config.campaign_file import find_campaign
from nurture.config.campaign_folder import files
from nurture.rules.segmentation.title_tables import load_tables
from nurture.rules.segmentation.titles import read_title
tables = load_tables()
assert read_title("Legal Counsel", tables).role == "legal"
assert not list(role_problems(tables))
texts = files(Path("templates"), "pump-efficiency")
file = "pump-efficiency/campaign.toml"
texts[file] = texts[file].replace('["specifier", "user",', '["legal", "user",')
campaign, told = find_campaign(texts, "pump-efficiency")
assert not told and campaign.steps[0].roles[0] == "legal", told
""")  # fmt: skip
    RECIPES["half a role"] = RECIPES["A buying role"][:1]
    walk("half a role", """
from nurture.checks.roles import role_problems
from nurture.rules.segmentation.title_tables import load_tables
[told] = role_problems(load_tables())
assert "legal" in told.what, told
""")  # fmt: skip


LANGUAGE = """
from nurture.checks.languages import language_problems, untranslated
from nurture.config.campaign_file import find_campaign
from nurture.config.campaign_folder import files
from nurture.rendering import TemplateSet
texts = files(Path("templates"), "pump-efficiency")
campaign, _ = find_campaign(texts, "pump-efficiency")
told = [*language_problems(Path("templates"), texts)]
told += untranslated(TemplateSet(texts), campaign, "pump-efficiency", {})
told = "\\n".join(problem.what for problem in told)
"""


def test_a_language_is_asked_for_until_it_is_there(walk: Callable[[str, str], None]) -> None:
    RECIPES["a language without texts"] = RECIPES["A language"][:2]
    walk("a language without texts", LANGUAGE + """
for lacking in ("the unsubscribe page has no words in “fr”", "no table reads job titles in “fr”",
                "why-now is not written in “fr”"):
    assert lacking in told, told
""")  # fmt: skip
    walk("A language", LANGUAGE + """
from nurture.rules.segmentation.title_tables import load_tables
from nurture.rules.segmentation.titles import read_title
lines = [line for line in told.splitlines() if "“fr”" in line]
assert lines and all("is not written in “fr”" in line for line in lines), told
reading = read_title("Responsable maintenance", load_tables())
assert reading.seniority == "Lead" and reading.role != "unknown", reading
""")  # fmt: skip
