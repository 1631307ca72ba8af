"""One stack from its first port to its last process."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired

from contract.settings import Settings
from demo.database.server import EmbeddedPostgres, ServerError
from demo.stack import database, effective, grafana, parts, ports, processes, record, secrets, steps
from demo.stack.child import Part, State, end_session
from demo.stack.database import Database
from demo.stack.failure import StackError
from demo.stack.live import Announcer, row
from demo.stack.parts import Place, python
from demo.stack.prepare import HISTORY_FAILED, Wanted
from demo.stack.processes import boot, identify
from demo.stack.screen import Row, Screen
from demo.stack.supervisor import Supervisor, Watched
from exporters.database.roles import Role
from provisioning import build, tools
from provisioning.findings import InputError

_TOOLS: tuple[tools.ToolName, ...] = ("prometheus", "alertmanager")
_READY_SECONDS = 240.0
_INSTALL_SECONDS, _INSTALL_END_SECONDS = 300.0, 3.0


@dataclass(frozen=True)
class Options:
    """What a person chose. `var` is the folder of the stack's state (absolute); a stand-in with a plan has its rate limits."""

    var: Path
    wanted: Wanted = field(default_factory=Wanted)
    preview: bool = True
    grafana: bool = True
    langfuse_mode: str = "v4"
    langfuse_plan: str | None = None


class Stack:
    """Starts the parts in order of need and ends them in reverse. Its methods raise StackError."""

    def __init__(self, options: Options, configured: Settings, screen: Screen) -> None:
        me = identify(os.getpid())
        if me is None:
            raise StackError("the local stack runs on Linux only; `docker compose up` works elsewhere")
        self._options, self._screen = options, screen
        self._record = record.Record(boot(), me)
        self._announcer = Announcer(screen)
        self._absent: list[Row] = []
        self.settings = configured
        self.dsn = ""
        chosen = ports.choose()
        for sentence in ports.moved(chosen):
            screen.say(f"  {sentence}")
        self._held = ports.Held(chosen)
        self.place = Place(options.var, chosen)
        self.supervisor = Supervisor(options.var, self._changed)
        record.write(options.var, self._record)
        processes.scratch(options.var).mkdir(exist_ok=True)

    def start(self) -> None:
        """Everything but the preview, until each part is healthy or has shown that it will not be."""
        for name in _TOOLS:
            tools.find(name)  # a wrong name is refused before anything starts
        self._open_database()
        dashboards = self._find_grafana()
        self._configure(with_grafana=dashboards is not None)
        installing = parts.install_preview(self.place) if self._options.preview else None
        try:
            self._prepare()
            if installing:
                self._await_preview(installing)
        finally:
            if installing:
                end_session(installing, _INSTALL_END_SECONDS)
        for part in self._parts():
            self._start(part)
        if dashboards:
            self._start(dashboards(self.place))
        with self._screen.step("Starting the parts") as beat:
            self.supervisor.wait(self.supervisor.settled, _READY_SECONDS, lambda: beat(self._pending()))

    def start_preview(self) -> None:
        """In the background: it bundles its page. What becomes of it is said when it is known."""
        self._announcer.speaking = True
        if not self._options.preview:
            self._absent.append(Row("Preview", "", "not started", "switched off with --no-preview"))
            return
        try:
            self._start(parts.preview(self.place, self.settings))
        except InputError as error:
            self._absent.append(Row("Preview", "", "not started", str(error)))

    def _start(self, part: Part) -> None:
        self._held.release(part.name, *(["smtp"] if part.name == "inbox" else []))
        self.supervisor.start(part)

    def _await_preview(self, installing: subprocess.Popen[bytes]) -> None:
        """Its packages were being installed beside the preparations. What went wrong is said when it starts."""
        if installing.poll() is None:
            with self._screen.step("Installing the packages of the preview, once") as beat, contextlib.suppress(TimeoutExpired):
                beat("")
                installing.wait(_INSTALL_SECONDS)

    def rows(self) -> list[Row]:
        return [*map(row, self.supervisor.watched), *self._absent]

    @property
    def healthy(self) -> bool:
        """Whether all parts are there and well; Grafana and the preview may be missing, for not every machine can have them."""
        needed = [watched for watched in self.supervisor.watched if watched.part.name not in ("grafana", "preview")]
        missing = [absent for absent in self._absent if absent.title not in ("Grafana", "Preview")]
        return not missing and all(watched.state is State.HEALTHY for watched in needed)

    def end(self) -> None:
        """Ends every part, and takes back what says that a stack is running."""
        self.supervisor.end()
        self._held.release()
        shutil.rmtree(processes.scratch(self.place.var), ignore_errors=True)
        self.place.config.unlink(missing_ok=True)
        record.remove(self.place.var)

    def _changed(self, watched: Watched) -> None:
        part = watched.part
        self._record = self._record.with_part(
            record.RunningPart(part.name, part.title, part.address, part.ready, watched.identity)
        )
        record.write(self.place.var, self._record)
        self._announcer(watched)

    def _open_database(self) -> None:
        server: EmbeddedPostgres | None = None
        dsn = database.named()
        if dsn is None:
            self._held.release("postgres")
            with self._screen.step("Starting PostgreSQL"):
                try:
                    server = database.embedded(self.place.var, self.place.ports["postgres"])
                    dsn = server.start()
                except ServerError as error:
                    raise StackError(str(error)) from None
        elif why := database.trouble(dsn):
            raise StackError(f"the database of {database.VARIABLE} cannot be used: {why}")
        self.dsn = dsn
        secrets.write(self.place.var / "secrets" / effective.OWNER_DSN, dsn)
        self.supervisor.add(Database(self.place.var, dsn, self.supervisor.asking, server))
        database.refuse_foreign(dsn)

    def _find_grafana(self) -> grafana.Maker | None:
        why = "switched off with --no-grafana"
        if self._options.grafana:
            try:
                return grafana.find()
            except grafana.NoGrafana as error:
                why = str(error)
        self._absent.append(Row("Grafana", "", "not started", why))
        return None

    def _configure(self, with_grafana: bool) -> None:
        """Secrets, settings and built files; where there is no Grafana, links lead to the preview, which has the same pages."""
        var, chosen = self.place.var, self.place.ports
        links_to = effective.address(chosen, "grafana" if with_grafana or not self._options.preview else "preview")
        where, plan = database.server(self.dsn), self._options.langfuse_plan
        self.settings = effective.of_stack(self.settings, chosen, var, where, links_to, plan)
        self._give_out_secrets(where)
        effective.write(self.settings, var)
        try:
            build.write(build.artefacts(self.settings), self.place.build)
        except InputError as error:
            raise StackError(str(error), exit_code=2) from None

    def _give_out_secrets(self, where: effective.Server) -> None:
        kept = self.place.var / "secrets"
        secrets.write(kept / "slack_webhook_url", effective.address(self.place.ports, "inbox") + "/slack")
        for kind, prefix in (("public", "pk-lf-"), ("secret", "sk-lf-")):
            secrets.kept(kept / f"langfuse_{kind}_key", prefix)
        secrets.kept(kept / effective.USER_KEY)
        passwords = {role: secrets.kept(kept / effective.password_file(role)).read_text() for role in effective.LOGINS}
        for role, file in (
            (Role.READ, effective.READ_DSN),
            (Role.ADVANCE, effective.ADVANCE_DSN),
            (Role.ACTIONS, effective.ACTIONS_DSN),
        ):
            secrets.write(kept / file, database.role_dsn(where, role, passwords[role]))

    def _prepare(self) -> None:
        log = self.place.var / "log" / "prepare.log"
        options = self._options.wanted.as_arguments()
        owner = ("--dsn-file", self.place.secret(effective.OWNER_DSN))
        command = python("demo", "prepare", "--var", self.place.var, "--config", self.place.config, *owner, *options)
        code = steps.run(self._screen, steps.Step("Bringing the past up to now", command, log), self.place.var)
        if code == HISTORY_FAILED:
            self._screen.say(f"  going on without the history of the metrics: {steps.last_line(log)}")
        elif code:
            raise StackError(
                steps.last_line(log).removeprefix("error: ") or f"preparing ended with exit code {code}; see {log}",
                code if code == 2 else 3,
            )

    def _parts(self) -> Iterator[Part]:
        standin = effective.real_langfuse() is None
        yield parts.sinks(self.place)
        if standin:
            yield parts.langfuse(self.place, self._options.langfuse_mode, self._options.langfuse_plan)
        yield parts.platform(self.place, standin)
        yield parts.exporter(self.place)
        yield from self._server("Alertmanager", "alertmanager", lambda binary: parts.alertmanager(self.place, binary))
        retention = self.settings.sources.prometheus.retention
        yield from self._server("Prometheus", "prometheus", lambda binary: parts.prometheus(self.place, binary, retention))

    def _server(self, title: str, name: tools.ToolName, make: Callable[[Path], Part]) -> Iterator[Part]:
        if binary := tools.find(name):
            yield make(binary)
        else:
            self._absent.append(Row(title, "", "not started", tools.how_to_get(name)))

    def _pending(self) -> str:
        waiting = (State.STARTING, State.RESTARTING)
        return ", ".join(watched.part.name for watched in self.supervisor.watched if watched.state in waiting)
