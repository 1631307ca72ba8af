"""Pieces that several parts of this tab share."""

from __future__ import annotations

from contract.definitions import DOCUMENT_STATUSES
from dashboards.lib import colours

OF_STATUSES = dict(zip(DOCUMENT_STATUSES, (colours.GREEN, colours.AMBER, colours.RED), strict=True))
NOT_COUNTED = "not counted yet"
NO_SEARCHES = "no search in range"
NO_UPLOADS = "no upload in range"
