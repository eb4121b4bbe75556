"""Channels carry rendered letters out of the house: the mailbox on this machine, and SendGrid."""
