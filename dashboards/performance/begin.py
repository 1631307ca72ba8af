"""Which question leads to which row, for people who open the tab for the first time."""

from __future__ import annotations

from dashboards.lib.texts import Text

QUESTIONS = (
    ("Reliability", "Are the targets met, which agent is slowest, where is the bottleneck?",
     ("The whole fleet", "Service levels and error budgets", "Agents", "Slow requests")),
    ("Performance engineering", "Did the last deployment make it worse, which version is best, what is p99?",
     ("Versions", "Latency", "How the times are spread")),
    ("Engineering management", "Which department has problems, what is left of the budgets, does it get better?",
     ("Departments and intents", "Service levels and error budgets")),
    ("Backend", "Why is this agent slow, what does it wait for, how does it fail?",
     ("a click on the agent", "Who fails, and how", "Patterns of errors")),
    ("Engineering direction", "Does it scale, where does that lead, where to invest?",
     ("Scaling", "Traffic and capacity", "Capacity planner", "Environments")),
)  # fmt: skip
"""Who asks, what, and the rows that answer."""


def questions() -> Text:
    table = "\n".join(f"| {who} | {what} | {'; '.join(where)} |" for who, what, where in QUESTIONS)
    return Text(
        name="questions",
        title="Who finds what where",
        description="Questions, and the rows that answer them.",
        content=f"| Who asks | What | Where to look |\n|---|---|---|\n{table}",
    )
