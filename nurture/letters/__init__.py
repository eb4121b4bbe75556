"""Letters: what a template says to one person, as subject, text and html. Knows Jinja, as only the web does besides."""

from nurture.letters.book import Composed, Letterbook, LetterError, Rendered
from nurture.letters.sheet import Filled, Form
from nurture.letters.values import context, house

__all__ = ["Composed", "Filled", "Form", "LetterError", "Letterbook", "Rendered", "context", "house"]
