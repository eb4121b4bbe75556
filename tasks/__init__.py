"""DO: open a session, ask the models, let a rule decide, save."""
