"""One living stack for all tests of this folder: started as a user starts it, only smaller and asking its sources faster."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
import pytest
import requests
import yaml

from demo.stack.processes import Identity
from recording_rules.slo import PERIOD_BURN, REMAINING, burn, ratio
from tests.integration.moment import DAY, Moment

if TYPE_CHECKING:
    from tests.integration.begun import Begun

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-m", "provisioning.cli"]
T = TypeVar("T")
OURS = ("LANGFUSE_", "SLACK_", "OBSERVATORY_POSTGRES", "OBSERVATORY_CONFIG")
ENVIRONMENT = {**{k: v for k, v in os.environ.items() if not k.startswith(OURS)}, "PYTHONPATH": str(ROOT), "GOGC": "400"}
"""The servers' heaps are small, and memory is there: they need not be looked through for garbage so often."""
SEED = os.environ.get("LIVING_STACK_SEED", "1")
"""Which world the stack begins with: another one shows whether a test says something of the product or of a world."""
SMALL = ("--scale", "0.1", "--days", "70", "--history", "1", "--fine-hours", "2", "--busy", "--seed", SEED)
CONFIG = {"exporter": {"intervals": dict.fromkeys(("rollups", "business", "tables", "audit", "langfuse", "cost"), "10s")}}
PAGE, INCIDENT_SECONDS = "AgentErrorsPage", 40
"""What pages of the incident, and how long that lasts."""
READ = ("rollups", "postgres", "tables", "langfuse", "cost")
"""Sources whose figures have a time."""
PATIENCE = 900.0
"""Seconds until a test gives up on what has no promised time: machines are slow. Promised times stand where they are kept."""
_GRAVE = re.compile(r"level=(warn|error)|WARNING|ERROR|FATAL|PANIC|Traceback|terminated|starting PostgreSQL|was interrupted")
SLOW_GROUPS, SOONER = ("slo_objectives*", "slo_slowest_windows", "slo_period_windows", "slo_slow_burns", "slo_budgets"), "20s"
"""What is evaluated every few minutes and looked at here: the same rules, only sooner."""
RARELY = (ratio("3d"), ratio("30d"), burn("3d"), PERIOD_BURN, REMAINING)
"""What panels show and is recorded every few minutes, and what that is made of: after a start there is none for a while."""
TWICE = "agent:conversation_success:ratio_rate1h"
"""What is recorded of what is recorded: after a start that took longer than Prometheus looks back there is none at first."""


def eventually(question: Callable[[], T], seconds: float, what: str, seen: object = "") -> T:
    """The first answer that is not empty. Fails when there is none in time, and shows what was `seen` until then."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s {seen}"
        time.sleep(0.25)


@dataclass(frozen=True)
class LivingStack:
    """A running stack: its process, its folder and the addresses of its parts by name."""

    process: subprocess.Popen[str] | None
    var: Path
    table: str
    http: requests.Session = field(default_factory=requests.Session, repr=False)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        """The parts by name, as they are now: one that was started again is another process."""
        return {part["name"]: part for part in json.loads((self.var / "stack.json").read_text())["parts"]}

    def url(self, part: str) -> str:
        return str(self.parts[part]["address"])

    @property
    def config(self) -> Path:
        return self.var / "observatory.yaml"

    def query(self, expression: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
        """An instant query: labels and value of each series. Raises ValueError when Prometheus does not understand it."""
        asked = {"query": expression, **({"time": at} if at else {})}
        answer = self.http.get(f"{self.url('prometheus')}/api/v1/query", params=asked, timeout=60).json()
        if answer["status"] != "success":
            raise ValueError(f"{answer['error']}: {expression}")
        return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]

    def value(self, expression: str, at: float | None = None) -> float:
        """The one value of an expression that gives one series."""
        [(_labels, value)] = self.query(expression, at)
        return value

    def messages(self, kind: str, since: float) -> list[dict[str, Any]]:
        """What the inbox received, oldest first."""
        found: list[dict[str, Any]] = requests.get(
            f"{self.url('inbox')}/api/messages", params={"kind": kind, "since": since}, timeout=60
        ).json()
        return found[::-1]

    def message(self, kind: str, since: float, *words: str) -> dict[str, Any] | None:
        """The first of them with all these words."""
        return next((one for one in self.messages(kind, since) if all(word in str(one) for word in words)), None)

    def observatory(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False
        )

    def send(self, part: str, number: signal.Signals) -> Identity:
        """Sends a signal to the process of a part, and to no other that may have its number by now."""
        process = Identity(*self.parts[part]["identity"])
        assert process.alive, f"{part} is not there"
        os.kill(process.pid, number)
        return process

    def read_rules(self) -> None:
        """Prometheus reads its rules again. On a stack of our own what service levels record rarely is recorded often."""
        if self.process:
            for name in SLOW_GROUPS:
                for file in (self.var / "build" / "prometheus" / "rules").glob(f"{name}.yml"):
                    file.write_text(re.sub(r"^  interval: \d+m$", f"  interval: {SOONER}", file.read_text(), flags=re.M))
        requests.post(f"{self.url('prometheus')}/-/reload", timeout=60).raise_for_status()

    @property
    def database(self) -> psycopg.Connection[Any]:
        return psycopg.connect((self.var / "secrets" / "postgres_owner_dsn").read_text(), autocommit=True)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingStack]:
    """A stack of its own, or the running one whose folder OBSERVATORY_STACK names: that one is left as it is."""
    if running := os.environ.get("OBSERVATORY_STACK"):
        yield LivingStack(None, Path(running), "")
        return
    # Not below pytest's own folder, which other test runs close to the user of the database.
    import tempfile

    with tempfile.TemporaryDirectory(prefix="observatory-stack-") as folder:
        var = Path(folder) / "var"
        config = Path(folder) / "observatory.yaml"
        config.write_text(yaml.safe_dump(CONFIG))
        output = Path(folder) / "output"
        with output.open("w") as out:
            process = subprocess.Popen(
                [*COMMAND, "up", "--var", str(var), "--config", str(config), *SMALL],
                cwd=ROOT, env=ENVIRONMENT, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True, text=True,
            )  # fmt: skip
        try:

            def ready() -> bool:
                assert process.poll() is None, output.read_text()
                return "Ready after" in output.read_text()

            eventually(ready, PATIENCE, "the stack is up")
            living = LivingStack(process, var, output.read_text())
            living.read_rules()
            yield living
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(120)
            subprocess.run([*COMMAND, "down", "--var", str(var)], cwd=ROOT, capture_output=True, timeout=120, check=False)


@pytest.fixture(scope="session")
def incident(stack: LivingStack) -> float:
    """Declares the incident; the time at which it began. On a stack that lives longer the platform may have been held still."""
    eventually(lambda: stack.query('up{job="platform",environment="production"} == 1'), PATIENCE, "the platform is scraped")
    # It fires for two minutes after a stillness, and mutes what the platform says, so that nobody is told that all is well.
    eventually(lambda: not stack.query('ALERTS{alertname="AllTargetsDown",alertstate="firing"}'), PATIENCE, "nothing is muted")
    begun = time.time()
    said = stack.observatory("demo", "incident", "errors", "--for", f"{INCIDENT_SECONDS}s", "--var", str(stack.var))
    assert said.returncode == 0, said.stderr
    return begun


@pytest.fixture(scope="session")
def begun(stack: LivingStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    """What people set by commands and is looked at later. Of a stack that lives on it is taken back."""
    from tests.integration.begun import Begun

    found = Begun(stack, tmp_path_factory.mktemp("site"))
    yield found
    if stack.process is None:
        found.take_rules_back()
        found.take_budget_back()


@pytest.fixture(scope="module")
def moment(stack: LivingStack) -> Iterator[Moment]:
    """The platform held still (SIGSTOP), and every figure read since then. Of a shared stack one at a time."""
    with (stack.var / "still.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield from _still(stack)


def _recorded(stack: LivingStack) -> bool:
    """Whether Prometheus has recorded by itself what it records last. What is left of the past may not last until it does."""
    started = 'scalar(process_start_time_seconds{job="prometheus"})'
    return all(stack.query(f"timestamp({name}) > {started}") for name in (*RARELY, TWICE))


def _still(stack: LivingStack) -> Iterator[Moment]:
    eventually(lambda: len(stack.query('up{job="platform"} == 1')) == 3, PATIENCE, "the platform is scraped")
    eventually(lambda: _recorded(stack), PATIENCE, f"{', '.join(RARELY)}, {TWICE} are recorded")
    eventually(lambda: stack.query("platform_rollup_drift_rows"), PATIENCE, "counts are audited")
    stack.send("platform", signal.SIGSTOP)
    try:
        _keep_house(stack, "SET autovacuum = off")
        held, ages = time.time(), dict[str, float]()

        def read() -> float | None:
            """When all had been read since then, on one day (UTC): what is said of a day or a month is not asked on two."""
            at = time.time()
            for labels, value in stack.query("max by (source) (exporter_source_data_timestamp_seconds)", at):
                ages[labels["source"]] = value - held
            midnight = at // DAY * DAY
            # What a day held is learnt from minutes after its end, and users who were active are counted for that.
            looked_ahead = stack.query("max(platform_forecast_made_timestamp_seconds)", at)
            since = max(held + 3, midnight)
            learnt = any(made > midnight for _, made in looked_ahead)
            return at if learnt and all(held + ages.get(source, 0) > since for source in READ) else None

        at = eventually(read, PATIENCE, "figures of the still platform", seen=ages)
        assert at is not None
        with closing(Moment(stack, at)) as moment:
            yield moment
    finally:
        stack.send("platform", signal.SIGCONT)
        _keep_house(stack, "RESET autovacuum")


def _keep_house(stack: LivingStack, setting: str) -> None:
    """Whether the database tidies up by itself, which changes how large tables are and how many rows they are taken to have."""
    with stack.database as database:
        database.execute(f"ALTER SYSTEM {setting}".encode())
        database.execute("SELECT pg_reload_conf()")
        asked = "SELECT FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
        if "off" in setting:
            eventually(lambda: not database.execute(asked).fetchall(), PATIENCE, "the database has tidied up")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Which past it was, and what the parts of the stack had to complain of, stand beside a failure: the stack is gone before
    anybody can look.
    """
    outcome: Any = yield
    report = outcome.get_result()
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, LivingStack):
        past = f"LIVING_STACK_SEED={SEED}, ready on {stack.begun:%A, %Y-%m-%d at %H:%M:%S} UTC"
        report.sections.append(("which past it was", past))
        said = "\n".join(_complaints(stack.var))
        report.sections.append(("what the stack complained of", said or "nothing"))


def _complaints(var: Path) -> Iterator[str]:
    for place in (var / "postgres" / "server.log", *sorted((var / "log").glob("*.log"))):
        lines = place.read_text(errors="replace").splitlines() if place.is_file() else []
        grave = [line for line in lines if _GRAVE.search(line)]
        yield from (f"{place.stem}: {line[:300]}" for line in grave[-12:])
