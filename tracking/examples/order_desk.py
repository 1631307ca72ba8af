"""A platform of one small agent, tracked: it answers questions about orders, and hands what it cannot answer to a second agent.

    TRACKING_DSN=postgresql://… python examples/order_desk.py --questions 20 --metrics-port 9470

Nothing in it knows of dashboards or alerts: the context managers say what happens, and the rest reads rows and metrics.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from observatory_tracking import Tracker
from prometheus_client import start_http_server

ORDERS = {"A-1": "on its way", "A-2": "delivered", "A-3": "being packed"}
QUESTIONS = ("Where is A-1?", "Has A-2 come?", "Where is A-9?", "May I send A-3 back?")


class NoSuchOrder(Exception):
    """The order is not known; `error_type` is what the figures call it."""

    error_type = "validation"


def look_up(tracker: Tracker, number: str) -> str:
    """What the tool knows of an order. Raises NoSuchOrder."""
    with tracker.track_tool("lookup_order", api="orders") as tool:
        if number not in ORDERS:
            tool.answered(404)
            raise NoSuchOrder(number)
        tool.answered(200)
        return ORDERS[number]


def answer(tracker: Tracker, question: str) -> str:
    """The order desk's answer; what it cannot find goes to the help desk, as two steps of one workflow."""
    number = next(word.strip("?") for word in question.split() if word.startswith("A-"))
    with tracker.track_workflow("order question") as workflow:
        try:
            with tracker.track_execution("order-desk", version="1.0", intent="order_status") as run:
                found = look_up(tracker, number)
                run.tokens += 40
        except NoSuchOrder:
            with tracker.track_execution("help-desk", version="1.0", intent="complaint") as run:
                run.tokens += 90
                found = "nobody knows of it; somebody will call you"
        workflow.completion = 1.0
    return f"{number}: {found}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A tracked platform of two small agents.")
    parser.add_argument("--questions", type=int, default=20, help="how many are asked")
    parser.add_argument("--metrics-port", type=int, default=0, help="where Prometheus may ask; none by default")
    given = parser.parse_args(arguments)
    if given.metrics_port:
        start_http_server(given.metrics_port, addr="127.0.0.1")
    tracker = Tracker(os.environ["TRACKING_DSN"], environment="production")
    for number in range(given.questions):
        with tracker.track_session(user_id=1 + number % 3):
            print(answer(tracker, QUESTIONS[number % len(QUESTIONS)]))
    tracker.close()


if __name__ == "__main__":
    main()
