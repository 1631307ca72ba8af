"""A server in Langfuse's place."""

from tests.scripted import script, server

__all__ = ["script", "server"]
