"""Who stays in a campaign: the audience's condition, but for what the campaign's own letters change about a lead."""

from functools import lru_cache

import sqlglot
from sqlglot import exp

from nurture.rules.planning.campaign import Campaign

ALWAYS = "always"
STAGE = "stage"  # moves on because of the letters; sales, deals and customers have policies of their own
RISES = frozenset(  # with what somebody reads and does
    ["score", "engagement", "account_score", "account_meetings_30d"]
    + [f"{whose}{did}_30d" for whose in ("", "account_")
       for did in ("opens", "clicks", "visits", "pricing_visits", "replies", "downloads")]
)  # fmt: skip
FALLS = frozenset(["days_since_activity"])
MOVED = RISES | FALLS | {STAGE}
AT_LEAST, AT_MOST = (exp.GT, exp.GTE), (exp.LT, exp.LTE)


def stays_condition(campaign: Campaign) -> str | None:
    """What must be true of a lead for another letter to be planned; None: nothing is asked."""
    if campaign.stays_if == ALWAYS:
        return None
    return campaign.stays_if or lasting(campaign.audience)


@lru_cache(256)
def lasting(audience: str) -> str | None:
    """An audience's condition without the parts that the campaign's own letters make untrue; None: nothing is left.

    Not asked again: the stage; and how little somebody does (`clicks_30d = 0`, `score < 40`), since letters are there
    to change it. Asked: how much they do (`score >= 40`), who they are, where they work, what they bought.
    """
    kept = _asked(sqlglot.parse_one(f"SELECT 1 WHERE {audience}").args["where"].this)
    return None if kept is None or kept.find(exp.Column) is None else kept.sql()


def _asked(node: exp.Expr, positive: bool = True) -> exp.Expr | None:
    """The part of a condition that is asked; None: none of it is, it counts as true (below a NOT as false)."""
    match node:
        case exp.Paren():
            inner = _asked(node.this, positive)
            return None if inner is None else exp.Paren(this=inner)
        case exp.Not():
            inner = _asked(node.this, not positive)
            return None if inner is None else exp.Not(this=exp.Paren(this=inner.unnest()))
        case exp.And() | exp.Or():
            sides = [_asked(side, positive) for side in (node.left, node.right)]
            left, right = sides
            if left is not None and right is not None:
                return type(node)(this=left.copy(), expression=right.copy())
            drops_out = isinstance(node, exp.And) == positive  # a true side of AND, a false side of OR
            return (left or right) if drops_out else None
        case _:
            return node if _is_asked(node, positive) else None


def _is_asked(atom: exp.Expr, positive: bool) -> bool:
    moved = {column.name.lower() for column in atom.find_all(exp.Column)} & MOVED
    if not moved:
        return True
    left, right = atom.this, atom.args.get("expression")
    if isinstance(right, exp.Column) and isinstance(left, exp.Literal):
        left, right, at_least = right, left, isinstance(atom, AT_MOST)  # 40 <= score
        at_most = isinstance(atom, AT_LEAST)
    else:
        at_least, at_most = isinstance(atom, AT_LEAST), isinstance(atom, AT_MOST)
    if not isinstance(left, exp.Column) or not isinstance(right, exp.Literal):
        return False
    name = left.name.lower()
    if not positive:
        at_least, at_most = at_most, at_least
    return (name in RISES and at_least) or (name in FALLS and at_most)
