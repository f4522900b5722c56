"""What is said when a storage account stops answering: once when it does, once when it is back.

Many loops poll one account; each tells what it sees, and only news is logged.
"""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


class Outages:
    """The accounts that do not answer at the moment, by the URL of the service."""

    def __init__(self) -> None:
        self._down: set[str] = set()

    def failed(self, service: str, problem: Exception) -> None:
        """The service did not answer."""
        if service not in self._down:
            self._down.add(service)
            logger.error("%s What depends on it goes on by itself when it answers.", problem)

    def answered(self, service: str) -> None:
        """The service answered."""
        if service in self._down:
            self._down.remove(service)
            logger.warning("Storage at %s answers again.", service)
