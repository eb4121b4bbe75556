"""A delivery worker: who sends, with what, and whose clock counts. One value for what every step of a request needs."""

from dataclasses import dataclass

from sqlalchemy import Engine

from nurture.channels.base import Channel
from nurture.rendering.composer import Composer
from nurture.runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class DeliveryWorker:
    """One run of the outbox. `name`: who owns what it claims, until its lease is over."""

    engine: Engine
    clock: Clock
    channel: Channel
    composer: Composer
    name: str
