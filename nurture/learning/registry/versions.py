"""Model versions in a folder: kept with what they were made of, opened only when harmless, promoted and rolled back.

    models/
      promotions.jsonl                    who was champion since when, and why; the last line rules
      2026-06-30-1f0c9a3b/
        card.json                         the card: figures, columns, data cut, code version, sha256 of the model
        model.skops                       the model: numbers, lists and one scikit-learn estimator

A model is opened only after its bytes match the card and every type in it is on our list: a file that somebody else
put there can be wrong, but it cannot run code.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import skops.io

from nurture.learning.fit.card import ModelCard
from nurture.learning.fit.scorer import Scorer
from nurture.learning.metrics import Floats, auc_gain, loss_gain
from nurture.learning.registry.packing import PackedScorer, pack, unpack

MODEL, CARD, PROMOTIONS = "model.skops", "card.json", "promotions.jsonl"
VERSION = re.compile(r"\d{4}-\d\d-\d\d-[0-9a-f]{8}")
HARMLESS = frozenset(
    {  # beyond what skops itself trusts: numbers, lists, numpy arrays, scikit-learn's estimators
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    }
)


class Refused(Exception):
    """The stored model is damaged, or holds types we do not open. Train again, or restore the folder from a backup."""


class NoSuchVersion(LookupError):
    """There is no such version, or no champion yet. The message lists those that are there."""


@dataclass(frozen=True)
class Version:
    """A stored model, without opening it."""

    name: str
    made_at: str
    champion: bool
    card: ModelCard


class Promotion(TypedDict):
    """A line of promotions.jsonl: from `at` on this version's scores count; None: the rules'."""

    version: str | None
    at: str
    why: str
    back: NotRequired[bool]  # a rollback


@dataclass(frozen=True)
class Challenge:
    """Is the challenger better on the newest leads, beyond noise?"""

    better: bool
    sentence: str


def save(scorer: Scorer, folder: Path, now: datetime, code: str = "") -> str:
    """Keep a scorer; the answer is its version's name. `code` is the version of the program that made it."""
    blob = skops.io.dumps(pack(scorer))
    digest = hashlib.sha256(blob).hexdigest()
    name = f"{now:%Y-%m-%d}-{digest[:8]}"
    card: ModelCard = {**scorer.card, "version": name, "made_at": now.isoformat(), "code": code, "sha256": digest}
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    _write(place / MODEL, blob)
    _write(place / CARD, json.dumps(card, indent=1, ensure_ascii=False).encode())
    return name


def load(folder: Path, name: str | None = None) -> Scorer:
    """The named version, or the champion. Raises NoSuchVersion, or Refused before anything of it is built."""
    name = name or champion(folder)
    if name is None:
        raise NoSuchVersion(f"No model has been promoted yet. {_there(folder)}")
    if not VERSION.fullmatch(name) or not (folder / name / MODEL).is_file():
        raise NoSuchVersion(f'There is no model version "{name}". {_there(folder)}')
    card = _card(folder / name)
    blob = (folder / name / MODEL).read_bytes()
    if hashlib.sha256(blob).hexdigest() != card.get("sha256"):
        raise Refused(f"{name}: the model is not the one that was saved (its sha256 differs from the card's).")
    return unpack(open_harmless(blob, name), card)


def open_harmless(blob: bytes, name: str) -> PackedScorer:
    """What the bytes hold, if every type in them is on our list; Refused names the first that is not."""
    try:
        foreign = sorted(set(skops.io.get_untrusted_types(data=blob)) - HARMLESS)
    except Exception as error:  # whatever it is, it is no skops file
        raise Refused(f"{name}: this is not a model file ({type(error).__name__}).") from error
    if foreign:
        raise Refused(f"{name}: the model holds {foreign[0]}, which we do not open.")
    return cast(PackedScorer, skops.io.loads(blob, trusted=sorted(HARMLESS)))


def versions(folder: Path) -> list[Version]:
    """All versions, the newest first."""
    reigning = champion(folder)
    found = []
    for place in folder.iterdir() if folder.is_dir() else ():
        if VERSION.fullmatch(place.name) and (place / CARD).is_file():
            card = _card(place)
            found.append(Version(place.name, str(card.get("made_at", "")), place.name == reigning, card))
    return sorted(found, key=lambda one: (one.made_at, one.name), reverse=True)


def show(folder: Path, name: str) -> Version:
    """One version; NoSuchVersion lists those that are there."""
    for one in versions(folder):
        if one.name == name:
            return one
    raise NoSuchVersion(f'There is no model version "{name}". {_there(folder)}')


def champion(folder: Path) -> str | None:
    """The version whose scores count, or None while the rules do."""
    history = promotions(folder)
    return history[-1]["version"] if history else None


def promotions(folder: Path) -> list[Promotion]:
    """Every promotion and rollback, the oldest first."""
    path = folder / PROMOTIONS
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line] if path.is_file() else []
    )


def promote(folder: Path, name: str, now: datetime, why: str) -> None:
    """From now on this version's scores count."""
    show(folder, name)
    _append(folder, {"version": name, "at": now.isoformat(), "why": why})


def rollback(folder: Path, now: datetime, why: str = "rolled back") -> str | None:
    """Back to the version before the present one (None: back to the rules). Rolling back again goes further back."""
    reigns: list[str | None] = [None]
    for line in promotions(folder):
        if line.get("back"):
            reigns.pop()
        elif line["version"] != reigns[-1]:
            reigns.append(line["version"])
    if len(reigns) < 2:
        raise NoSuchVersion(f"There is no model to roll back from: the rules are in charge. {_there(folder)}")
    _append(folder, {"version": reigns[-2], "at": now.isoformat(), "why": why, "back": True})
    return reigns[-2]


def challenge(y: Floats, champion: Floats | None, challenger: Floats) -> Challenge:
    """Judge a challenger by the newest leads (outcomes `y`), neither model having learned from them.

    It wins if it ranks better or promises better beyond noise (two paired standard errors) and is not clearly worse at
    the other. Without a champion it wins.
    """
    if champion is None:
        return Challenge(True, "There is no champion yet.")
    ranking, promise = auc_gain(y, champion, challenger), loss_gain(y, champion, challenger)
    said = (
        f"AUC {ranking.gain:+.4f} ± {2 * ranking.error:.4f}, log loss {-promise.gain:+.4f} ± {2 * promise.error:.4f} "
        f"on {len(y):,} newest leads"
    )
    won = ranking.beyond_noise or promise.beyond_noise
    worse = ranking.gain < -2 * ranking.error or promise.gain < -2 * promise.error
    if won and not worse:
        return Challenge(True, f"The challenger is better beyond noise: {said}.")
    why = "better at one thing, worse at the other" if won else "the difference may be chance"
    return Challenge(False, f"The champion stays: {why} ({said}).")


def _card(place: Path) -> ModelCard:
    try:
        card = json.loads((place / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"{place.name}: its card cannot be read ({error}).") from None
    return cast(ModelCard, card) if isinstance(card, dict) else {}


def _write(path: Path, blob: bytes) -> None:
    """Whole or not at all: a reader never sees half a model."""
    half = path.with_suffix(path.suffix + ".part")
    half.write_bytes(blob)
    half.replace(path)


def _append(folder: Path, line: Promotion) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / PROMOTIONS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _there(folder: Path) -> str:
    names = [one.name for one in versions(folder)]
    return f"There are: {', '.join(names[:6])}." if names else "Train one with `nurture train`."
