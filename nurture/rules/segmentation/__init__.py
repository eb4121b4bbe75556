"""Decides persona, role in the buying group, kind of shopper, and stage."""
