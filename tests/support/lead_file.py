"""A customer's lead file as nobody would have prepared it: honest columns, leaks, junk; and a scorer trained on it."""

from functools import cache
from typing import Any

import numpy as np
import polars as pl

from nurture.learning.fit.train import train
from nurture.learning.fit.trained import TrainedScorer

LEAKS = {"Tags", "Lead Quality", "Last Notable Activity", "closed_at", "lost_reason", "invoice_total", "final_rating"}
JUNK = {"Prospect ID", "Lead Number", "Do Not Call", "Source (copy)", "Fax"}


@cache
def leads(n: int = 1_500, seed: int = 7) -> pl.DataFrame:
    """Whoever came by referral, works, and stayed long on the site buys more often. Half the columns are traps."""
    rng = np.random.default_rng(seed)
    source = rng.choice(["Google", "Direct", "Chat", "Referral"], n, p=[0.5, 0.25, 0.15, 0.1])
    work = rng.choice(["Unemployed", "Professional", "Student", ""], n, p=[0.55, 0.15, 0.05, 0.25])
    seconds = np.where(rng.random(n) < 0.2, 0, rng.gamma(1.4, 400, n)).round()
    pages = np.where(seconds > 0, np.ceil(seconds / 150 + rng.random(n)), 0)
    odds = -1.5 + seconds / 700 + 2 * (source == "Referral") + 2 * (work == "Professional") - (work == "")
    y = rng.random(n) < 1 / (1 + np.exp(-odds))
    hinted = np.where(y, rng.random(n) < 0.75, rng.random(n) < 0.3)
    columns: dict[str, Any] = {
        "Prospect ID": [f"{i:08x}-{j:04x}" for i, j in rng.integers(0, 2**31, (n, 2))],
        "Lead Number": 660_000 - 7 * np.arange(n) - rng.integers(0, 7, n),
        "Source": source,
        "Source (copy)": source,
        "Occupation": work,
        "Seconds on site": seconds,
        "Pages": pages,
        "Amount": [f"{a:,.2f} €" for a in rng.gamma(2, 900, n)],
        "Came on": [f"{1 + i % 28:02d}.{1 + i * 12 // n:02d}.2025" for i in range(n)],
        "Do Not Call": ["No"] * n,
        "Fax": [None] * n,
        "Tags": np.where(
            y,
            rng.choice(["Will revert", "Closed by us", "", "Busy"], n, p=[0.6, 0.2, 0.17, 0.03]),
            rng.choice(["Ringing", "Other course", "", "Will revert"], n, p=[0.3, 0.2, 0.49, 0.01]),
        ),
        "Lead Quality": np.where(hinted, "High", "Low"),
        "Last Notable Activity": np.where(hinted, "SMS", "Modified"),
        "closed_at": [f"2025-0{1 + i % 9}-1{i % 9}" if won and i % 3 else None for i, won in enumerate(y)],
        "lost_reason": np.where(~y & (rng.random(n) < 0.3), "price", ""),
        "invoice_total": np.where(y & (rng.random(n) < 0.5), 500 + rng.integers(0, 400, n), 0),
        "final_rating": np.round(y + rng.normal(0, 0.25, n), 3),
        "Converted": np.where(y, "Yes", "No"),
    }
    return pl.DataFrame(columns, strict=False)


@cache
def trained() -> TrainedScorer:
    answer = train(leads(), "Converted")
    assert isinstance(answer, TrainedScorer)
    return answer
