"""A test double of SendGrid: a real HTTP server on loopback, stricter than the documents, wrong on demand.

    with SendGridDouble(keep="full", clock=FrozenClock(), react=delivers, webhook=url) as sg:
        ...                                 # send to sg.url with sg.api_key
        sg.faults.script(["accept_then_cut", "ok"])
        sg.advance(timedelta(hours=1))      # scheduled letters leave, events are posted and retried

As a process: `python -m tests.doubles.sendgrid --help`. Nothing here has met the real SendGrid: each limit
says whether it is documented, observed in public issues, or our own stricter reading.
"""

from .accepted import Letter, read_journal
from .double import SendGridDouble
from .faults import BEHAVIOURS, Fault, UnknownFault
from .reactions import POLICIES, Disorder, RandomReaders, Reaction, delivers, silent
from .substitutions import Disagreement
from .timeline import FrozenClock
from .webhook import SIGNATURE, TIMESTAMP, Signer, wire_form

__all__ = [
    "BEHAVIOURS",
    "POLICIES",
    "SIGNATURE",
    "TIMESTAMP",
    "Disagreement",
    "Disorder",
    "Fault",
    "FrozenClock",
    "Letter",
    "RandomReaders",
    "Reaction",
    "SendGridDouble",
    "Signer",
    "UnknownFault",
    "delivers",
    "read_journal",
    "silent",
    "wire_form",
]
