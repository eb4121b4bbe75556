"""Had we used this model in June …: month by month, the leads a salesperson would have had to call."""

import numpy as np

from nurture.learning import metrics
from nurture.learning.fit.trained import Evaluation
from nurture.learning.training_data.schema import EPOCH

HALF = 0.5
LEAST = 5  # buyers in a month, below which nothing is said


def backtest_by_month(judged: Evaluation) -> list[str]:
    """A sentence per point in time that judged: calls until half of its buyers were found, by each way to rank."""
    said = []
    for t in np.unique(judged.moment) if judged.moment is not None else ():
        rows = np.flatnonzero(judged.moment == t)
        y, buyers = judged.y[rows], int(judged.y[rows].sum())
        if not LEAST <= buyers < len(rows):
            continue
        calls = {"with it": judged.p, **({"by the rules": judged.rules} if judged.rules is not None else {})}
        needed = [f"{metrics.calls_for(y, p[rows], HALF):,} {how}" for how, p in calls.items()]
        day = (EPOCH + np.timedelta64(int(np.floor(t)), "D")).astype("datetime64[s]").item()
        chance = round(HALF * (len(rows) + 1))
        said.append(
            f"Had we used this model in {day:%B %Y}: to find half of the {buyers:,} who converted among {len(rows):,} "
            f"leads, a salesperson would have had to call {', '.join(needed)}, {chance:,} at random."
        )
    return said
