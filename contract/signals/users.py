"""Users: who logs in, and what they think of the answers."""

from __future__ import annotations

from contract.signals.model import Decline, Level, Rate, Ratio, equal

LOGINS = Rate("logins", "Logins", "Attempts to log in per second", "ops", "auth_login_attempts_total")
LOGIN_FAILURES = Rate(
    "login_failures",
    "Failed logins",
    "Attempts to log in that failed, per second",
    "ops",
    "auth_login_attempts_total",
    (equal("result", "failure"),),
)
LOGIN_FAILURE_RATIO = Ratio(
    "login_failure_ratio",
    "Failed logins",
    "Attempts to log in that failed / attempts to log in",
    "percentunit",
    LOGIN_FAILURES,
    LOGINS,
)
LOGIN_SUCCESSES = Rate(
    "login_successes",
    "Logins",
    "Attempts to log in that succeeded, per second",
    "ops",
    "auth_login_attempts_total",
    (equal("result", "success"),),
)
LOGIN_SUCCESS_RATIO = Ratio(
    "login_success_ratio",
    "Login success",
    "Attempts to log in that succeeded / attempts to log in",
    "percentunit",
    LOGIN_SUCCESSES,
    LOGINS,
)
LOGGED_IN = Level("logged_in", "Logged in", "Logged-in sessions", "short", "auth_sessions_active")
USERS = Level("users", "Users", "Users of all roles", "short", "platform_users")
NEW_USERS = Level(
    "users_new", "New users", "Users created in 30 days", "short", "platform_users_new", (equal("window", "30d"),)
)
ACTIVE_USERS = Level("active_users", "Active users", "Users with a message of their own", "short", "platform_users_active")
ACTIVE_USERS_BEFORE = Level(
    "active_users_before", "Before", "The same in the window before", "short", "platform_users_active_before"
)
USERS_CREATED = Rate("users_created", "New users", "Users created per second", "ops", "platform_users_created_total")
FEATURE_USES = Rate("feature_uses", "Uses", "Uses of features per second", "ops", "platform_feature_uses_total")
FEEDBACK = Rate("feedback", "Thumbs", "Thumbs given per second", "ops", "platform_feedback_total")
FEEDBACK_NEGATIVE = Rate(
    "feedback_negative",
    "Thumbs down",
    "Thumbs down given per second",
    "ops",
    "platform_feedback_total",
    (equal("sentiment", "negative"),),
)
FEEDBACK_NEGATIVE_RATIO = Ratio(
    "feedback_negative_ratio",
    "Thumbs down share",
    "Thumbs down / thumbs given",
    "percentunit",
    FEEDBACK_NEGATIVE,
    FEEDBACK,
)
RATINGS = Rate("ratings", "Stars", "Stars given per second", "ops", "platform_feedback_ratings_total")
RATING = Level(
    "rating", "Average rating", "Mean stars of a window, 1 to 5", "none", "platform_feedback_rating_average", operator="max"
)
NPS = Level(
    "nps", "Net promoter score", "Net promoter score of a window, -100 to 100", "none", "platform_nps_points", operator="max"
)
NPS_ANSWERS = Level(
    "nps_answers", "Answers", "Answers to the NPS question in a window", "short", "platform_window_nps_answers", operator="max"
)
NPS_WEEK = Level(
    "nps_week", "Net promoter score", "Net promoter score of seven days, -100 to 100", "none", "platform_nps_points",
    (equal("window", "7d"),), operator="max",
)  # fmt: skip
NPS_WEEK_ANSWERS = Level(
    "nps_week_answers", "Answers", "Answers to the NPS question in seven days", "short", "platform_window_nps_answers",
    (equal("window", "7d"),), operator="max",
)  # fmt: skip
NPS_LOST = Decline(
    "nps_lost", "Points lost", "Net promoter score of the seven days before, less that of the last seven days", "none",
    NPS_WEEK, "7d",
)  # fmt: skip
