"""Had we used this model in June …: month by month, the leads a salesperson would have had to call."""

import numpy as np

from nurture.learning.fit.train import Trial
from nurture.learning.judge import metrics
from nurture.learning.training_data.schema import EPOCH

HALF = 0.5
LEAST = 5  # buyers in a month, below which nothing is said


def backtest_by_month(trial: Trial) -> list[str]:
    """A sentence per moment that judged: calls until half of its buyers were found, by model, by rules, by chance."""
    said = []
    for t in np.unique(trial.moment) if trial.moment is not None else ():
        rows = np.flatnonzero(trial.moment == t)
        y, buyers = trial.y[rows], int(trial.y[rows].sum())
        if not LEAST <= buyers < len(rows):
            continue
        calls = {"with it": trial.p, **({"by the rules": trial.rules} if trial.rules is not None else {})}
        needed = [f"{metrics.calls_for(y, p[rows], HALF):,} {how}" for how, p in calls.items()]
        day = (EPOCH + np.timedelta64(int(np.floor(t)), "D")).astype("datetime64[s]").item()
        chance = round(HALF * (len(rows) + 1))
        said.append(
            f"Had we used this model in {day:%B %Y}: to find half of the {buyers:,} who converted among {len(rows):,} "
            f"leads, a salesperson would have had to call {', '.join(needed)}, {chance:,} at random."
        )
    return said
