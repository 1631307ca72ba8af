"""A stand-in for a Langfuse server: the same reading interface over rows of the synthetic platform.

It speaks versions 3 and 4 of the interface, answers wrong questions as the real server does, and can be told to fail.
"""
