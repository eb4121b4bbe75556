"""The web app: events come in, people unsubscribe, sales answers, and ops read the mailbox."""

from nurture.web.app import create_app, serve

__all__ = ["create_app", "serve"]
