"""Who is told of alerts, and how: teams, their hours, Slack, mail, and webhooks for programs."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from contract.values import Address, Section, Url, between, duration_seconds

WEEK = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""Names of days, in the order in which Alertmanager counts them."""

Urgency = Literal["page", "critical", "slow", "warning", "info"]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # none of that name, a path, a folder of zones
        raise ValueError(f"there is no time zone {name!r}; write for example UTC or Europe/Berlin") from None
    return name


def _quoted_time(value: object) -> object:
    if isinstance(value, int):  # YAML reads 18:00 as eighteen times sixty
        raise ValueError('a time of day stands in quotes: "18:00"')
    return value


def _known_days(text: str) -> str:
    for part in text.split(","):
        if any(day.strip() not in WEEK for day in part.split(":")) or part.count(":") > 1:
            raise ValueError(f"{part.strip()!r} is neither a day nor two of them; write for example monday:friday, sunday")
    return text


Time = Annotated[str, BeforeValidator(_quoted_time), Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


class Hours(Section):
    """When a team wants to be told what is not urgent. `start` is within the hours, `end` is not."""

    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    days: Annotated[str, AfterValidator(_known_days)] = "monday:friday"
    start: Time = "09:00"
    end: Time = "17:00"

    @field_validator("end")
    @classmethod
    def _ends_after_it_starts(cls, end: str, info: ValidationInfo) -> str:
        start = info.data.get("start")
        if start is not None and end <= start:
            raise ValueError(f"{end} is not after the start, {start}; hours do not reach into the next day")
        return end

    @property
    def weekdays(self) -> tuple[str, ...]:
        """The days one by one, from sunday on."""
        return tuple(day for day in WEEK if any(day in _between(part) for part in self.days.split(",")))


def _between(part: str) -> tuple[str, ...]:
    first, _, last = (word.strip() for word in part.partition(":"))
    start, end = WEEK.index(first), WEEK.index(last or first)
    return WEEK[start : end + 1] if start <= end else WEEK[start:] + WEEK[: end + 1]


class Team(Section):
    """Who is told. Alerts name a team; the team has a Slack channel, an e-mail address, or both.

    Warnings, and what is only good to know, wait for the team's hours; without hours nothing waits.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    slack_channel: Annotated[str, Field(pattern=r"^#[a-z0-9_-]+$")] | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    hours: Hours | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Team:
        if not self.slack_channel and not self.email:
            raise ValueError(f"nobody can reach team {self.name}; give it a slack_channel or an email")
        return self


class Slack(Section):
    """Slack's incoming webhook. Its address is a secret and comes from a file."""

    webhook_url_file: str = "secrets/slack_webhook_url"


class Smtp(Section):
    """The mail server. User and password are optional; the password comes from a file."""

    smarthost: Address = "127.0.0.1:1025"
    sender: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] = "observatory@example.com"
    username: str | None = None
    password_file: str | None = None
    require_tls: bool = False

    @field_validator("password_file")
    @classmethod
    def _a_user_has_a_password(cls, file: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("username") and not file:
            raise ValueError("username is given without password_file; name the file that holds the password")
        return file


Repeat = Annotated[str, between("1m", "30d")]


class Repeats(Section):
    """How long after a message the same alert is told again, when it still fires. `slow` is what is critical, but changes over
    days and not over hours: alerts of the concerns in `slow_concerns`."""

    page: Repeat = "1h"
    critical: Repeat = "4h"
    slow: Repeat = "1d"
    warning: Repeat = "12h"
    info: Repeat = "1d"

    def of(self, urgency: Urgency) -> str:
        return str(getattr(self, urgency))


class Notifications(Section):
    """How people and programs are told.

    Pages go out for `paging_environments` only. `history_url` is a webhook that every alert goes to. The dead man's switch is a
    webhook that is called every minute while the alerting itself is well; when the calls end, somebody else raises the alarm.
    Where its address is a secret it stands in `deadman_url_file`, which Alertmanager reads since 0.26.
    """

    slack: Slack = Slack()
    smtp: Smtp = Smtp()
    paging_environments: tuple[str, ...] = ("production",)
    repeat: Repeats = Repeats()
    slow_concerns: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")], ...] = ("cost",)
    history_url: Url | None = None
    deadman_url: Url | None = None
    deadman_url_file: str | None = None

    @field_validator("repeat")
    @classmethod
    def _the_worse_is_not_repeated_later(cls, repeat: Repeats) -> Repeats:
        for worse, milder in (("page", "critical"), ("critical", "warning"), ("warning", "info")):
            soon, late = getattr(repeat, worse), getattr(repeat, milder)
            if duration_seconds(soon) > duration_seconds(late):
                raise ValueError(f"{worse} is repeated after {soon}, later than {milder}, which is repeated after {late}")
        return repeat

    @field_validator("deadman_url_file")
    @classmethod
    def _one_address_for_the_dead_man(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file and info.data.get("deadman_url"):
            raise ValueError("deadman_url is given too; keep one of them")
        return file
