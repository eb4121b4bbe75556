"""Letters: what a template says to one person, as subject, text and html. Knows Jinja, as only the web does besides."""

from nurture.rendering.context import context, house
from nurture.rendering.part_template import Filled, Form
from nurture.rendering.template_set import Composed, Letterbook, LetterError, Rendered

__all__ = ["Composed", "Filled", "Form", "LetterError", "Letterbook", "Rendered", "context", "house"]
