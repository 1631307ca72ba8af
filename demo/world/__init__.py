"""The synthetic platform as a pure function of a seed, a scale, a list of incidents and the time.

Nothing here reads a clock or keeps state: whoever asks for the same hours gets the same life, so the loaded history, the rows
written live, the platform's counters and Langfuse's calls always agree.
"""

from demo.world.world import World as World
