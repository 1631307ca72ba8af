"""Why requests are slow, by the part that took the time, and what usually helps."""

from __future__ import annotations

from dataclasses import dataclass

from contract.status import TIMEOUT


@dataclass(frozen=True)
class Cause:
    """Why a request was slow, in a few words, what to try, and the alert whose runbook goes further."""

    words: str
    advice: str
    runbook: str


CAUSES = {
    TIMEOUT: Cause(
        "Time limit",
        "It was given up. See what it waited for last; give that a limit of its own, well below the request's, and a fallback.",
        "AgentResponseTimeHigh",
    ),
    "steps": Cause(
        "Model, several calls",
        "Model calls follow each other. Plan and answer in one call, run tools side by side, or let a faster model plan.",
        "ModelResponseTimeHigh",
    ),
    "llm": Cause(
        "Model",
        "One model call takes most of it. Ask for shorter answers, send less context, stream, or try a faster model.",
        "ModelResponseTimeHigh",
    ),
    "tool": Cause(
        "Tools",
        "Tools take most of it. Look at the slowest one and what it calls; cache what repeats, call side by side, set a limit.",
        "ToolErrorRatioHigh",
    ),
    "retrieval": Cause(
        "Retrieval",
        "The search takes most of it. Look at the vector store and its index; ask for fewer passages, cache embeddings.",
        "VectorStoreSlow",
    ),
    "auth": Cause(
        "Auth",
        "Checking who asks takes most of it. Look at the session store; keep verified tokens for a minute.",
        "AgentResponseTimeHigh",
    ),
    "preprocess": Cause(
        "Preprocessing",
        "The platform's own work before the model takes most of it. Profile it; look at processor and pools of connections.",
        "AgentResponseTimeHigh",
    ),
    "postprocess": Cause(
        "Postprocessing",
        "What follows the answer takes most of it. Write to the database after the answer is sent; look at slow statements.",
        "DatabasePoolNearlyExhausted",
    ),
}  # fmt: skip
"""By the part that took most of the time, or by what else was found."""
