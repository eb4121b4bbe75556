"""Channels carry rendered letters to people: the mailbox on this machine, and SendGrid."""
