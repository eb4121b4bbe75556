"""From acceptance to the last event: ask the policy, let things happen on time, tell the webhook, untidily."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from .accepted import Letter
from .limits import Json
from .reactions import SUPPRESSES, Disorder, Policy, Reaction, silent, told
from .timeline import Clock, Timeline
from .webhook import Webhook

TIDY = Disorder()
BETWEEN_REPEATS = timedelta(minutes=7)


class Aftermath:
    def __init__(
        self,
        react: Policy,
        disorder: Disorder,
        untidy: random.Random,
        webhook: Webhook,
        clock: Clock,
        timeline: Timeline,
        seed: int | str,
        post_every: timedelta,
    ) -> None:
        self.react, self.disorder, self.untidy = react, disorder, untidy
        self.webhook, self.clock, self.timeline = webhook, clock, timeline
        self.seed, self.post_every = seed, post_every
        self.suppressed: dict[str, str] = {}
        self.lock = threading.Lock()

    @property
    def quiet(self) -> bool:
        """Nothing will ever be told about a letter, so nobody needs to remember it."""
        return self.react is silent and not self.suppressed

    def begin(self, letter: Letter) -> None:
        for number, reaction in enumerate(self.reactions(letter)):
            at = letter.accepted_at + reaction.after
            self.timeline.at(at, "event", partial(self.happen, letter, reaction, at, number))

    def reactions(self, letter: Letter) -> Iterable[Reaction]:
        if reason := self.suppressed.get(letter.to.lower()):
            return [Reaction("dropped", timedelta(seconds=1), {"reason": reason})]
        if self.react is silent:
            return ()
        return self.react(letter, random.Random(f"{self.seed} {letter.to} {sorted(letter.custom_args.items())}"))

    def happen(self, letter: Letter, reaction: Reaction, at: datetime, number: int) -> None:
        event = told(letter, reaction, at, number)
        with self.lock:
            if not reaction.asynchronous:  # nothing ties such a bounce to a letter, not even in the logs
                letter.events.append(event)
            if (reason := SUPPRESSES.get(reaction.event)) and event.get("type") != "blocked":
                self.suppressed[letter.to.lower()] = reason
            tellings = self.tellings(event)
        for delay, telling in tellings:
            if delay:
                self.timeline.at(self.clock() + delay, "event", partial(self.tell, telling))
            else:
                self.tell(telling)

    def tellings(self, event: Json) -> list[tuple[timedelta, Json]]:
        """How late, how often and under which ids the webhook says it."""
        mess, draw = self.disorder, self.untidy
        late = draw.random() * mess.latest if draw.random() < mess.late else timedelta(0)
        repeats = draw.randint(1, mess.most_repeats) if draw.random() < mess.repeats else 0
        copies = [dict(event) for _ in range(repeats)]
        for number, copy in enumerate(copies if mess.new_ids else ()):
            copy["sg_event_id"] += str(number)
        return [(late + n * BETWEEN_REPEATS, copy) for n, copy in enumerate([event, *copies])]

    def tell(self, event: Json) -> None:
        if self.webhook.add(event):
            self.timeline.at(self.clock() + self.post_every, "flush", self.webhook.flush)
