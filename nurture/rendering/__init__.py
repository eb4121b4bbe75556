"""Letters: what a template says to one person, as subject, text and html. Knows Jinja, as only the web does besides."""

from nurture.rendering.context import campaign_values, letter_values
from nurture.rendering.template_set import ComposedLetter, LetterError, RenderedLetter, TemplateSet

__all__ = ["ComposedLetter", "LetterError", "RenderedLetter", "TemplateSet", "campaign_values", "letter_values"]
