"""The recipes of docs/ci.md work when they are pasted: their shape, and every command in them with all its options."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from provisioning.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "ci.md"
HOOKS = ROOT / ".pre-commit-hooks.yaml"

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
RIGHTS = {"type": "object", "additionalProperties": {"enum": ["read", "write", "none"]}, "minProperties": 1}
STEP = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": TEXT,
        "if": TEXT,
        "uses": {"type": "string", "pattern": r"^[a-z-]+/[a-z-]+(/[a-z-]+)?@(v[0-9]+|[0-9a-f]{40})$"},
        "with": {"type": "object"},
        "run": TEXT,
        "env": {"type": "object", "additionalProperties": {"type": "string"}},
        "working-directory": TEXT,
    },
    "oneOf": [{"required": ["uses"]}, {"required": ["run"]}],
}
WORKFLOW = {
    "type": "object",
    "required": ["name", "on", "permissions", "concurrency", "jobs"],
    "additionalProperties": False,
    "properties": {
        "name": TEXT,
        "on": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "pull_request": {"type": "null"},
                "push": {"type": "object", "properties": {"branches": {"type": "array", "items": TEXT}}},
                "schedule": {"type": "array", "items": {"type": "object", "required": ["cron"]}},
            },
        },
        "permissions": RIGHTS,
        "concurrency": {"type": ["object", "string"]},
        "jobs": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "object",
                "required": ["runs-on", "timeout-minutes", "steps"],
                "additionalProperties": False,
                "properties": {
                    "if": TEXT,
                    "runs-on": {"type": "string", "pattern": r"^ubuntu-[0-9]{2}\.04$"},
                    "timeout-minutes": {"type": "integer", "minimum": 1, "maximum": 60},
                    "permissions": RIGHTS,
                    "environment": TEXT,
                    "steps": {"type": "array", "items": STEP, "minItems": 1},
                },
            },
        },
    },
}
RULE = {"type": "object", "required": ["if"], "additionalProperties": False, "properties": {"if": TEXT}}
JOB = {
    "type": "object",
    "required": ["rules", "script"],
    "additionalProperties": False,
    "properties": {
        "rules": {"type": "array", "items": RULE},
        "script": {"type": "array", "items": TEXT, "minItems": 1},
        "variables": {"type": "object", "additionalProperties": {"type": "string"}},
        "environment": TEXT,
        "resource_group": TEXT,
        "interruptible": {"type": "boolean"},
    },
}  # fmt: skip
PIPELINE = {
    "type": "object",
    "required": ["default"],
    "properties": {
        "default": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "image": {"type": "string", "pattern": r"^[a-z]+:[0-9][a-z0-9.-]+$"},
                "interruptible": {"type": "boolean"},
                "before_script": {"type": "array", "items": TEXT},
            },
        },
        "variables": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "additionalProperties": JOB,
}
HOOK = {
    "type": "object",
    "required": ["id", "name", "entry", "language", "pass_filenames"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z-]+$"},
        "name": TEXT,
        "description": TEXT,
        "entry": TEXT,
        "language": {"const": "system"},
        "pass_filenames": {"const": False},
        "files": {"type": "string", "format": "regex"},
        "always_run": {"const": True},
        "stages": {"type": "array", "items": {"enum": ["pre-commit", "pre-push", "manual"]}},
    },
    "oneOf": [{"required": ["files"]}, {"required": ["always_run"]}],
}
LOCAL = {
    "type": "object",
    "required": ["repos"],
    "additionalProperties": False,
    "properties": {
        "default_install_hook_types": {"type": "array", "items": {"enum": ["pre-commit", "pre-push"]}},
        "repos": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["repo", "hooks"],
                "additionalProperties": False,
                "properties": {"repo": {"const": "local"}, "hooks": {"type": "array", "items": HOOK, "minItems": 1}},
            },
        },
    },
}


class _Loader(yaml.SafeLoader):
    """Reads `on` as a word, as GitHub does."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def blocks() -> list[Any]:
    return [yaml.load(text, Loader=_Loader) for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.M | re.S)]


WORKFLOWS, PIPELINES, LOCALS = (
    [block for block in blocks() if key in block] for key in ("jobs", "default", "repos")
)  # fmt: skip


def scripts() -> Iterator[tuple[str, str]]:
    """Every script of the recipes, with the job that it is part of."""
    for workflow in WORKFLOWS:
        for name, job in workflow["jobs"].items():
            for step in job["steps"]:
                if "run" in step:
                    yield f"{workflow['name']}/{name}", step["run"]
    for pipeline in PIPELINES:
        for name, job in pipeline.items():
            if "script" in job:
                yield f"gitlab/{name}", "\n".join([*pipeline["default"]["before_script"], *job["script"]])
    for hook in [
        *yaml.safe_load(HOOKS.read_text()),
        *(hook for one in LOCALS for repo in one["repos"] for hook in repo["hooks"]),
    ]:
        yield f"hook/{hook['id']}", hook["entry"]


def commands(script: str) -> Iterator[list[str]]:
    """The words of every call of `observatory` in a script, without what the shell does with them."""
    for line in re.sub(r"\$\{\{.*?\}\}", "value", script).splitlines():
        for part in re.split(r"\|\||&&|;|\|", line):
            words = shlex.split(re.sub(r"\s>>?\s.*", "", part.strip()))
            if words[:1] == ["observatory"]:
                yield words[1:]


def test_every_block_of_the_page_is_known() -> None:
    assert (len(WORKFLOWS), len(PIPELINES), len(LOCALS)) == (2, 1, 1) and len(blocks()) == 4


@pytest.mark.parametrize(
    ("block", "schema"),
    [*((one, WORKFLOW) for one in WORKFLOWS), *((one, PIPELINE) for one in PIPELINES), *((one, LOCAL) for one in LOCALS)],
)
def test_shape(block: Any, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema).validate(block)


def test_hooks() -> None:
    hooks = yaml.safe_load(HOOKS.read_text())
    for hook in hooks:
        jsonschema.Draft202012Validator(HOOK).validate(hook)
    assert len({hook["id"] for hook in hooks}) == len(hooks)
    (files,) = (hook["files"] for hook in hooks if "files" in hook)
    assert re.match(files, "observatory.yaml") and re.match(files, "overlays/production.yaml")
    assert re.match(files, "dashboards/overview/headline.py") and not re.match(files, "README.md")


@pytest.mark.parametrize(("job", "script"), list(scripts()))
def test_every_command_takes_what_it_is_given(job: str, script: str) -> None:
    for words in commands(script):
        command = main.commands.get(words[0])
        assert command is not None, f"{job}: there is no `observatory {words[0]}`"
        with command.make_context(words[0], words[1:]) as context:
            assert isinstance(context, click.Context)


def test_a_command_that_does_not_exist_would_be_noticed() -> None:
    (words,) = commands("observatory plan --no-such-option > plan.md || status=$?")
    with pytest.raises(click.NoSuchOption):
        main.commands["plan"].make_context("plan", words[1:])


def test_the_four_jobs_are_there_for_both() -> None:
    for jobs in (WORKFLOWS[0]["jobs"], PIPELINES[0]):
        assert {"check", "plan", "apply", "drift"} <= jobs.keys()
    used = {words[0] for _, script in scripts() for words in commands(script)}
    assert used == {"check", "plan", "apply"}


@pytest.mark.parametrize(("job", "script"), list(scripts()))
def test_every_script_is_one_that_a_shell_reads(job: str, script: str) -> None:
    plain = re.sub(r"\$\{\{.*?\}\}", "value", script)
    done = subprocess.run(["/bin/sh", "-n"], input=plain, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{job}: {done.stderr}"


def test_targets_of_make_exist() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for job, script in scripts():
        for words in re.findall(r"^make ([a-z -]+)$", script, re.M):
            assert set(words.split()) <= known, job


def test_forks_get_no_secrets_and_tokens_no_more_than_they_need() -> None:
    for workflow in WORKFLOWS:
        assert workflow["permissions"] == {"contents": "read"}
        for name, job in workflow["jobs"].items():
            asks = yaml.safe_dump(job)
            if "secrets." in asks and "pull_request" in job.get("if", ""):
                assert "head.repo.full_name == github.repository" in job["if"], name
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout") and "token" not in step.get("with", {}):
                    assert step["with"]["persist-credentials"] is False
    writing = [name for workflow in WORKFLOWS for name, job in workflow["jobs"].items() if "apply" in yaml.safe_dump(job)]
    assert all("environment" in job for workflow in WORKFLOWS for name, job in workflow["jobs"].items() if name in writing)


def test_what_a_page_of_a_pull_request_says_reaches_no_shell() -> None:
    """Titles and branches are chosen by strangers; only names of our own branches and numbers stand in scripts."""
    for job, script in scripts():
        for expression in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", script):
            assert expression in ("github.base_ref", "github.sha"), f"{job}: {expression}"
