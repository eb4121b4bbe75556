"""REMEMBER: the tables, and the questions we ask them."""

from sqlmodel import SQLModel

from models.account import Account
from models.account_pause import AccountPause
from models.activity import Activity
from models.address import Address, SuppressedBy, Suppression
from models.attempt import Attempt, AttemptItem
from models.campaign import CampaignVersion, PublishedCampaign
from models.confirmation import Confirmation
from models.contact import Consent, Contact, Market, Stage, Transition
from models.delivery_states import AttemptState, State
from models.enrolment import Enrolment, EnrolmentState
from models.event import Event, EventKind
from models.handoff import Decision, Handoff
from models.import_file import Import
from models.learned_parameter import LearnedParameter, LearnedSubject
from models.message import Message
from models.opportunity import Opportunity, OpportunityOutcome, OpportunityStage
from models.order import Order
from models.restore_guard import RestoreGuard
from models.role_change import RoleChange
from models.score import AccountScore, Score
from models.segment import Role, Segment
from models.send_pause import PauseScope, SendPause

metadata = SQLModel.metadata

__all__ = [
    "Account",
    "AccountPause",
    "AccountScore",
    "Activity",
    "Address",
    "Attempt",
    "AttemptItem",
    "AttemptState",
    "CampaignVersion",
    "Confirmation",
    "Consent",
    "Contact",
    "Decision",
    "Enrolment",
    "EnrolmentState",
    "Event",
    "EventKind",
    "Handoff",
    "Import",
    "LearnedParameter",
    "LearnedSubject",
    "Market",
    "Message",
    "Opportunity",
    "OpportunityOutcome",
    "OpportunityStage",
    "Order",
    "PauseScope",
    "PublishedCampaign",
    "RestoreGuard",
    "Role",
    "RoleChange",
    "Score",
    "Segment",
    "SendPause",
    "Stage",
    "State",
    "SuppressedBy",
    "Suppression",
    "Transition",
    "metadata",
]
