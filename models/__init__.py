"""REMEMBER: the tables, and the questions we ask them."""

from sqlmodel import SQLModel

from models.account import Account
from models.account_pause import Pause
from models.activity import Activity
from models.address import Address, SuppressedBy, Suppression
from models.attempt import Attempt, AttemptItem
from models.campaign import Brake, Campaign, CampaignVersion
from models.confirmation import Confirmation
from models.contact import Consent, Contact, Market, Stage, Transition
from models.delivery_states import AttemptState, State
from models.enrolment import Enrolment, EnrolmentState
from models.event import Event, Kind
from models.handoff import Decision, Handoff
from models.import_file import Import
from models.learned_parameter import About, Lesson
from models.message import Message
from models.opportunity import Opportunity, OpportunityOutcome, OpportunityStage
from models.order import Order
from models.restore_guard import Epoch
from models.role_change import RoleChange
from models.score import AccountScore, Score
from models.segment import Role, Segment

metadata = SQLModel.metadata

__all__ = [
    "About",
    "Account",
    "AccountScore",
    "Activity",
    "Address",
    "Attempt",
    "AttemptItem",
    "AttemptState",
    "Brake",
    "Campaign",
    "CampaignVersion",
    "Confirmation",
    "Consent",
    "Contact",
    "Decision",
    "Enrolment",
    "EnrolmentState",
    "Epoch",
    "Event",
    "Handoff",
    "Import",
    "Kind",
    "Lesson",
    "Market",
    "Message",
    "Opportunity",
    "OpportunityOutcome",
    "OpportunityStage",
    "Order",
    "Pause",
    "Role",
    "RoleChange",
    "Score",
    "Segment",
    "Stage",
    "State",
    "SuppressedBy",
    "Suppression",
    "Transition",
    "metadata",
]
