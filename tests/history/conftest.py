"""Databases as the figures' tests have them."""

from tests.business.conftest import module_database, platform_database

__all__ = ["module_database", "platform_database"]
