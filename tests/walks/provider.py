"""The provider of a walk: takes letters, answers in every way there is, and tells of them late, twice, or never.

Its own log is the truth that a walk is judged by.
"""

import http.client
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson

from nurture.channels.sendgrid.wire import NotSent, Reply, Wire
from tests.doubles.sendgrid.webhook import wire_form
from tests.walks.scheduled_sends import KeptSends, Letters

ANSWERS: dict[str, tuple[bool, int | None]] = {  # what the provider may do: (does it take the letters?, its answer)
    "takes it": (True, 202),
    "takes it, the answer is lost": (True, None),
    "takes it, the answer has no id": (True, -202),
    "takes it, a proxy says 500": (True, 500),
    "takes it, a proxy says 503": (True, 503),
    "takes it, a proxy says 504": (True, 504),
    "cuts before taking it": (False, None),
    "500": (False, 500),
    "503": (False, 503),
    "429": (False, 429),
    "401": (False, 401),
    "404": (False, 404),
}
UNREACHABLE = "no connection"
NAMED, POISON = "named@bad.example", "poison@bad.example"  # refused by name; refused without a name


@dataclass(frozen=True, slots=True)
class Taken:
    """One line of the provider's log: this request brought this letter to this address."""

    at: datetime
    attempt: str
    message: int
    address: str
    handed: datetime  # when the request came; earlier than `at` where it was held


@dataclass(slots=True)
class Provider:
    """`weights`: how likely each of its answers is. `events` is what it has to tell, with the moment it is ready to."""

    chance: Random
    clock: Callable[[], datetime]
    weights: dict[str, float]
    log: list[Taken] = field(default_factory=list)
    events: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    event_ids: list[str] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)  # attempts that were surely not taken, and whose sender knows it
    absent: set[str] = field(default_factory=set)  # attempts that its log was asked for and did not show
    silent: bool = False  # it takes letters but loses what it should tell of them
    repeats: float = 0.15  # how likely an event has an id that another one had
    fails: float = 0.1  # how likely it is to do nothing about a cancellation
    loses: float = 0.1  # ... or does it and says something else
    requests: int = 0
    kept_sends: KeptSends = field(init=False)

    def __post_init__(self) -> None:
        self.kept_sends = KeptSends(self.chance, self.clock, places=10)

    def draw(self) -> str:
        return self.chance.choices(list(self.weights), list(self.weights.values()))[0]

    def answer(self, mail: dict[str, Any], what: str) -> Reply:
        """Take the letters or not, and reply. Raises OSError where no whole reply comes."""
        self.requests += 1
        people = [(person["to"][0]["email"], person["custom_args"]) for person in mail["personalizations"]]
        takes, status = ANSWERS[what]
        if takes or status == 202:
            for i, (address, _) in enumerate(people):
                if address == NAMED:
                    return reply(400, errors=[{"message": "no such mailbox", "field": f"personalizations.{i}.to"}])
            if any(address == POISON for address, _ in people):
                return reply(400, errors=[{"message": "something here is wrong", "field": None}])
        if takes and "send_at" in mail:
            self.kept_sends.accept(mail, people)
        elif takes:
            self._carry(people, self.clock(), self.clock())
        return self._says(status)

    def _carry(self, people: Letters, at: datetime, handed: datetime) -> None:
        for address, ids in people:
            self.log.append(Taken(at, ids["nt_attempt"], int(ids["nt_message"]), address, handed))
            if not self.silent:
                self.tell(address, ids, at)

    def let_go(self) -> None:
        """KeptRequest letters whose time has come leave."""
        for held in self.kept_sends.leaving():
            self._carry(held.letters, held.send_at, held.handed)

    def about_batches(self, method: str, path: str, body: bytes, what: str) -> Reply:
        """A name for a batch, a cancellation, a look at it, its end. Raises OSError where no whole reply comes."""
        does, status = ANSWERS[what]
        if not does:
            return self._says(status)
        if method == "POST" and body and self.chance.random() < self.fails:
            return self._says(500)
        told = self._do(method, path.rpartition("/")[2], orjson.loads(body) if body else {})
        if method == "POST" and body and self.chance.random() < self.loses:
            return self._says(504)
        return told if status in (202, -202) else self._says(status)

    def _do(self, method: str, name: str, given: dict[str, Any]) -> Reply:
        if name == "batch":
            return reply(201, {"batch_id": self.kept_sends.new()})
        if method == "POST":
            wrong = self.kept_sends.cancel(given["batch_id"])
            return reply(400, errors=[{"message": wrong, "field": None}]) if wrong else reply(201, given)
        if method == "GET":
            noted = [{"batch_id": name, "status": "cancel"}] if name in self.kept_sends.cancelled else []
            return reply(200, noted)
        return reply(204 if self.kept_sends.cancelled.pop(name, None) else 404)

    def _says(self, status: int | None) -> Reply:
        if status is None:
            raise ConnectionError("the connection was reset")
        if status == -202:
            return reply(202)
        if status == 202:
            return reply(202, **{"X-Message-Id": f"id-{self.requests}"})
        if status == 429 and self.chance.random() < 0.5:
            return reply(429, **{"X-RateLimit-Reset": str(int((self.clock() + timedelta(minutes=3)).timestamp()))})
        return reply(status)

    def tell(self, address: str, ids: dict[str, str], at: datetime) -> None:
        """What becomes of a letter that left, in events that are told whenever the walk hears them."""
        chance = self.chance
        story = ["processed", "bounce"] if chance.random() < 0.05 else ["processed", "delivered"]
        if chance.random() < 0.3:
            story.append(chance.choice(["open", "click", "unsubscribe", "spamreport", "bounce"]))
        for number, event in enumerate(story, 1):
            told = {
                "email": address,
                "event": event,
                "timestamp": int((at + timedelta(seconds=2 * number)).timestamp()),
            }
            told |= {"sg_event_id": self.event_id(), "url": "https://shop.example/"} if event == "click" else {
                "sg_event_id": self.event_id()}  # fmt: skip
            asynchronous = number == 3 and event == "bounce"  # comes back by mail, long after, without our ids
            late = timedelta(seconds=(100_000 if asynchronous else 1_000) * chance.random() ** 3)  # mostly soon
            self.events.append((at + late, told if asynchronous else told | ids))

    def event_id(self) -> str:
        """One in a few event ids was met before: seen in the wild, and the reason why it is no key."""
        if self.event_ids and self.chance.random() < self.repeats:
            return self.chance.choice(self.event_ids)
        self.event_ids.append(f"event-{len(self.event_ids)}")
        return self.event_ids[-1]

    def ready(self) -> list[tuple[datetime, dict[str, Any]]]:
        return [pair for pair in self.events if pair[0] <= self.clock()]

    def hear(self, lost: float = 0.0) -> tuple[bytes, list[dict[str, Any]]]:
        """The next post of the webhook: some of what is ready, in any order, some of it told again, some of it lost."""
        told = [pair for pair in self.ready() if self.chance.random() < 0.7]
        for pair in told:
            if self.chance.random() > 0.2:  # else it is told again some time
                self.events.remove(pair)
        events = [event for _, event in told if self.chance.random() >= lost]
        self.chance.shuffle(events)
        return wire_form(events), events


def reply(status: int, told: Any = None, *, errors: list[dict[str, Any]] | None = None, **headers: str) -> Reply:
    message = http.client.HTTPMessage()
    for name, value in headers.items():
        message[name] = value
    return Reply(status, message, orjson.dumps({"errors": errors or []} if told is None else told))


class ModelWire(Wire):
    """The real wire with another end: connecting and the exchange are the walk's, the order of things is the code's."""

    def __init__(self, provider: Provider, pause: Callable[[str], None]) -> None:
        super().__init__("http://127.0.0.1:1")
        self.provider, self.pause = provider, pause

    def ask(self, method: str, path: str, headers: Any, body: bytes, *args: Any, **options: Any) -> Reply:
        if not path.endswith("/mail/send"):
            return super().ask(method, path, headers, body, *args, **options)
        attempt = orjson.loads(body)["personalizations"][0]["custom_args"]["nt_attempt"]
        try:
            answer = super().ask(method, path, headers, body, *args, **options)
        except NotSent:
            self.provider.denied.add(attempt)
            raise
        if 400 <= answer.status < 500:
            self.provider.denied.add(attempt)
        return answer

    def _kept(self) -> None:  # type: ignore[override]
        return None

    def _connected(self) -> Any:
        self.pause("connecting")
        what = self.provider.draw()
        if what == UNREACHABLE:
            raise NotSent("no connection")
        return Socket(what)

    def _exchange(self, sock: Any, request: bytes, method: str) -> Reply:
        try:
            head, _, body = request.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            if not path.endswith("/mail/send"):
                return self.provider.about_batches(method, path, body, sock.what)
            return self.provider.answer(orjson.loads(body), sock.what)
        finally:
            self.pause("the answer is on its way")


@dataclass(frozen=True, slots=True)
class Socket:
    what: str

    def close(self) -> None:
        pass
