"""Changes that people make from what they see on a dashboard, as commands: shown, confirmed, recorded, and taken back.

`action` is the frame of all of them, `configured` those that change `observatory.yaml`, `edit` how a text is changed no more
than it has to be, `audit` what is written to `analytics.audit_log`.
"""

from __future__ import annotations

_HERE = "provisioning.actions"
ACTIONS: dict[str, tuple[str, str]] = {
    "slo": (f"{_HERE}.commands", "Set or remove a service level."),
    "budget": (f"{_HERE}.commands", "Set or remove a budget."),
    "alert": (f"{_HERE}.commands", "Make alerts of your own, and mute any for a while."),
    "regression": (f"{_HERE}.row_commands", "Flag or dismiss a version that does worse."),
    "profile": (f"{_HERE}.row_commands", "Start or stop the profiling of an agent."),
    "configure": (f"{_HERE}.configuration_commands", "What agents are configured with."),
    "cache": (f"{_HERE}.configuration_commands", "How long agents keep answers."),
    "advice": (f"{_HERE}.advice_commands", "What could be cheaper or quicker, and how sure that is."),
    "environments": (f"{_HERE}.environment_commands", "One agent in all environments, side by side."),
    "loadtest": (f"{_HERE}.load_commands", "Load an environment on purpose, within bounds."),
}
"""The groups of commands: each stands in a module under its name."""
