"""A model of the world around the outbox: workers that stop anywhere, a provider that answers anything, people.

The code under test is the real one: the real orders, the real SQL on SQLite in memory, the real carrier down to its
socket. Only time, the wire and the scheduling are ours, drawn from one seed, so that a seed tells the same story again.
"""
