"""Settings: everything an installation decides, from the environment or a .env file. Secrets never print."""

from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from nurture.runtime import clock

PROJECT = Path(__file__).resolve().parents[2]
RENAMED = {"timetable": "NURTURE_DEPLOYMENTS", "transport": "NURTURE_CHANNEL"}  # settings until 0.1: refused


class SendingLimits(BaseModel):
    """How many letters one sending domain may send: on its first days, and then each day (UTC)."""

    model_config = ConfigDict(extra="forbid")

    warm_up: list[int] = []
    warm_up_began: date | None = None
    daily_limit: int | None = Field(None, ge=0)


class Settings(BaseSettings):
    """Read from `NURTURE_*`; SendGrid's own names are used for SendGrid's own things."""

    model_config = SettingsConfigDict(env_prefix="NURTURE_", env_file=".env", extra="ignore")

    # where things are
    var: Path = Field(Path("var"), description="database, mailbox, rejects and logs live below this folder")
    database_url: str = Field("", description="empty: SQLite in `var`; or postgresql+psycopg://…")
    templates: Path = Field(PROJECT / "templates", description="campaign folders")
    rules: Path = Field(PROJECT / "templates", description="scoring.toml and personas.toml")
    models: Path | None = Field(
        None, description="learned models; empty: `models` in `var`. Workers on several machines share one folder"
    )
    deployments: Path = Field(PROJECT / "prefect.yaml", description="Prefect deployments and their schedules")
    marker: Path | None = Field(None, description="how far sending has come, best on another disk than the database")
    clock_file: Path | None = Field(None, description="a simulated clock (the demo's)")

    # who we are: on every letter
    company: str = "Brunnhold Pumps"
    postal_address: str = "Brunnhold Pumps GmbH, Am Wehr 7, 21335 Lüneburg, Germany"
    sender_name: str = "Nora at Brunnhold Pumps"
    sender_email: str = "nora@mail.brunnhold.example"
    reply_to: str = "nora@brunnhold.example"
    default_owner: str = Field("sales@brunnhold.example", description="who gets a lead whose account has no owner")

    # doors
    web_url: str = Field("http://127.0.0.1:8400", description="the address recipients and sales reach us at")
    web_port: int = 8400
    prefect_port: int = 4200
    secret: SecretStr = Field(SecretStr(""), description="signs our links; made once and kept in `var` when empty")

    log: Literal["", "text", "json"] = Field(
        "", description="the log's lines: text for a person, json for a machine; empty: text, and none from commands"
    )

    # how mail leaves
    channel: str = Field("mailbox", description="a name of nurture/channels/registry.py: mailbox or sendgrid")
    sendgrid_api_key: SecretStr = Field(SecretStr(""), validation_alias="SENDGRID_API_KEY")
    sendgrid_host: str = Field("https://api.sendgrid.com", validation_alias="SENDGRID_HOST")
    sendgrid_sandbox: bool = Field(False, validation_alias="SENDGRID_SANDBOX")
    sendgrid_batch: int = Field(1_000, ge=1, le=1_000, description="most people in one request")
    sendgrid_requests: int = Field(32, ge=1, le=64, description="most requests at the same time, per worker")
    daily_limit: int | None = Field(None, ge=0, description="most letters a day (UTC), all campaigns together")
    warm_up: list[int] = Field([], description="most letters of a young sending domain on its first days: [50, 100]")
    warm_up_began: date | None = Field(None, description="the first day of that plan")
    domains: dict[str, SendingLimits] = Field(
        {}, description='sending domains with a plan of their own, as {"news.example": …}'
    )
    sendgrid_webhook_key: str = Field(
        "",
        validation_alias="SENDGRID_WEBHOOK_KEY",
        description="base64 public key(s) that sign events, comma separated",
    )

    # who is mailed by no campaign, to measure what all of them earn
    global_holdout: float = Field(0.0, ge=0, le=0.5, description="share of accounts and people kept unmailed by all")
    global_holdout_key: str = Field("global", description="another word draws others: a new one each year, say")

    # handoff
    mql_score: float = 70.0
    sla: timedelta = timedelta(hours=8)  # working hours a salesperson has
    sales_zone: str = Field("Europe/Berlin", description="where sales work: an IANA time zone …")
    sales_country: str = Field("DE", description="… and the country whose holidays they keep")
    handoffs_per_owner: int = Field(20, description="most leads a salesperson has to answer at a time")

    # names until 0.1
    timetable: None = Field(None, exclude=True, repr=False)
    transport: None = Field(None, exclude=True, repr=False)

    @field_validator(*RENAMED, mode="before")
    @classmethod
    def _refuse_old_name(cls, given: str | None, about: ValidationInfo) -> None:
        if given is not None and (new := RENAMED[about.field_name or ""]):
            raise ValueError(f"it is called {new} now: write {new}={given}")

    def limits(self, domain: str) -> SendingLimits:
        """A sending domain's own limits, else those for all of them."""
        return self.domains.get(domain) or SendingLimits(warm_up=self.warm_up, warm_up_began=self.warm_up_began)

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.var.resolve() / 'nurture.db'}"

    @property
    def model_folder(self) -> Path:
        """Where learned models are kept."""
        return self.models or self.var / "models"

    @property
    def clock(self) -> clock.Clock:
        """Now; in the demo's folder its simulated time."""
        return clock.from_file(self.clock_file or self.var / "clock")


@lru_cache(1)
def settings() -> Settings:
    """This process's settings, read once."""
    return Settings()
