"""People who see their own figures in Grafana: each has a login of the database, a data source and a dashboard.

A data source of Grafana is one login, whoever looks, and may be asked anything by everybody in its organisation. So a variable
of a dashboard protects nothing, and each person has an organisation too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, field_validator

from contract.values import Section, Uid


class Person(Section):
    """One person. `name` ends the dashboard's uid; `login` is a role that `observatory db install` makes and nobody else uses;
    `user_id` is the person's id in the platform's table of users; `organisation` is the number of the Grafana organisation of
    this person alone; `uid` is the data source's there.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,18}$")]
    login: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
    user_id: Annotated[str, Field(pattern=r"^\S{1,200}$")]
    organisation: Annotated[int, Field(ge=2)]
    password_file: str
    uid: Uid = "my-usage"

    @field_validator("login")
    @classmethod
    def _is_no_role_with_other_work(cls, login: str) -> str:
        if login.startswith(("pg_", "observatory_")):
            raise ValueError(f"{login!r} begins as roles with other work do; write for example my_anna")
        return login

    @property
    def tab(self) -> str:
        """The key of the person's dashboard."""
        return f"my_usage_{self.name.replace('-', '_')}"


def checked_persons(persons: tuple[Person, ...]) -> tuple[Person, ...]:
    """The same. Raises ValueError when two share what is one person's alone."""
    for what in ("name", "login", "user_id", "organisation"):
        if twice := _twice(str(getattr(person, what)) for person in persons):
            raise ValueError(f"two persons have the {what} {', '.join(twice)}; each needs one of their own")
    return persons


def _twice(values: Iterable[str]) -> list[str]:
    found = list(values)
    return sorted({value for value in found if found.count(value) > 1})
