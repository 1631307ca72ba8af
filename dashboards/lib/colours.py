"""Colours that people with a colour vision deficiency can tell apart (Okabe and Ito 2008), and what they stand for.

A colour is never the only sign: states carry words, thresholds carry lines.
"""

from __future__ import annotations

GREEN, AMBER, RED, GREY = "#009E73", "#E69F00", "#D55E00", "#8A8F98"
BLUE, SKY, PURPLE, YELLOW = "#0072B2", "#56B4E9", "#CC79A7", "#F0E442"

OK, DEGRADED, DOWN, UNKNOWN = GREEN, AMBER, RED, GREY
NEUTRAL = "#2F8FD0"
"""Between blue and sky: legible on dark and on light ground."""
NONE = "transparent"

LOW, MIDDLE, HIGH = SKY, BLUE, PURPLE
"""For three quantiles of one distribution, in their order."""
