"""Model versions: kept, opened only when harmless, promoted beyond noise, rolled back."""

import hashlib
import io
import json
import os
import pickle
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer

from nurture.learning.registry import versions
from tests.support.lead_file import leads, trained

NOW = datetime(2026, 6, 30, 9, tzinfo=UTC)


@pytest.fixture
def kept(tmp_path):
    return tmp_path, versions.save(trained().scorer, tmp_path, NOW, code="0.1.0")


def forge(folder, name, blob):
    """Put other bytes in a version's place, and make its card agree."""
    (folder / name / versions.MODEL).write_bytes(blob)
    card = json.loads((folder / name / versions.CARD).read_text())
    card["sha256"] = hashlib.sha256(blob).hexdigest()
    (folder / name / versions.CARD).write_text(json.dumps(card))


def test_what_was_kept_scores_as_it_did(kept):
    folder, name = kept
    np.testing.assert_array_equal(versions.load(folder, name).score(leads()), trained().scorer.score(leads()))
    card = versions.show(folder, name).card
    assert card["code"] == "0.1.0"
    assert card["figures"]["auc"] > 0.7
    assert card["columns"] == trained().scorer.reader.owners


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil-was-here",)


def test_a_pickle_is_refused_unopened(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, name = kept
    forge(folder, name, pickle.dumps(Evil()))
    with pytest.raises(versions.Refused, match="not a model file"):
        versions.load(folder, name)
    assert not (tmp_path / "evil-was-here").exists()


def test_a_skops_file_with_a_foreign_type_is_refused_unopened(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, name = kept
    forge(folder, name, skops.io.dumps({"trees": FunctionTransformer(func=os.mkdir)}))
    with pytest.raises(versions.Refused, match=r"posix\.mkdir|nt\.mkdir"):
        versions.load(folder, name)


def test_a_pickle_inside_a_skops_file_is_refused(kept):
    folder, name = kept
    whole = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO((folder / name / versions.MODEL).read_bytes())) as old,
        zipfile.ZipFile(whole, "w") as new,
    ):
        schema = json.loads(old.read("schema.json"))
        schema["content"] = {"__class__": "mkdir", "__module__": "os", "__loader__": "FunctionNode", "content": {
            "module_path": "os", "function": "mkdir"}, "__id__": 1}  # fmt: skip
        new.writestr("schema.json", json.dumps(schema))
    forge(folder, name, whole.getvalue())
    with pytest.raises(versions.Refused):
        versions.load(folder, name)


def test_a_changed_model_is_refused(kept):
    folder, name = kept
    path = folder / name / versions.MODEL
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(versions.Refused, match="sha256"):
        versions.load(folder, name)


@pytest.mark.parametrize("name", ["../../etc", "2026-06-30-00000000", "", "."])
def test_no_other_folder_is_looked_into(kept, name):
    with pytest.raises(versions.NoSuchVersion):
        versions.load(kept[0], name)


def test_promoted_and_rolled_back(kept):
    folder, first = kept
    second = versions.save(replace(trained().scorer, typical=trained().scorer.typical), folder / "x", NOW)
    (folder / "x" / second).rename(folder / "2026-07-01-0badcafe")
    second = "2026-07-01-0badcafe"
    assert versions.champion(folder) is None
    versions.promote(folder, first, NOW, "the first")
    versions.promote(folder, second, NOW, "better beyond noise")
    assert versions.champion(folder) == second
    assert [one.champion for one in versions.versions(folder) if one.name == second] == [True]
    assert versions.rollback(folder, NOW) == first
    assert versions.rollback(folder, NOW) is None  # the rules are in charge again
    with pytest.raises(versions.NoSuchVersion, match="rules are in charge"):
        versions.rollback(folder, NOW)
    with pytest.raises(versions.NoSuchVersion, match="No model has been promoted"):
        versions.load(folder)
    assert [one["why"] for one in versions.promotions(folder)[:2]] == ["the first", "better beyond noise"]


def test_noise_does_not_dethrone_a_champion():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=2_000)
    y = (rng.random(2_000) < 1 / (1 + np.exp(-truth))).astype(float)
    p = 1 / (1 + np.exp(-truth))
    shaken = 1 / (1 + np.exp(-truth - rng.normal(0, 0.05, 2_000)))
    assert not versions.challenge(y, p, shaken).better
    assert not versions.challenge(y, shaken, p).better
    assert versions.challenge(y, 1 / (1 + np.exp(-truth - rng.normal(0, 1.5, 2_000))), p).better
    assert versions.challenge(y, None, p).better


def test_a_better_ranking_with_false_promises_does_not_win():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=4_000)
    y = (rng.random(4_000) < 1 / (1 + np.exp(-truth))).astype(float)
    champion = 1 / (1 + np.exp(-truth - rng.normal(0, 1, 4_000)))
    boastful = 1 / (1 + np.exp(-3 * truth - 3))
    verdict = versions.challenge(y, champion, boastful)
    assert not verdict.better
    assert "worse at the other" in verdict.sentence
