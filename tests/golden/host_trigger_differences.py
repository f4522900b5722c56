"""Where our facts differ from those of the recorded runs of queue and blob functions, and why: the one table."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Facts whose names match one of the patterns differ, or are there on one side only; each pattern is needed."""

    reason: str
    facts: tuple[str, ...]

    def covers(self, fact: str) -> bool:
        return any(fnmatch.fnmatchcase(fact, pattern) for pattern in self.facts)


_OLD_PROPERTIES = (
    *("Created", "ContentMD5", "PageBlobSequenceNumber", "AppendBlobCommittedBlockCount", "StandardBlobTier"),
    *("RehydrationStatus", "PremiumPageBlobTier", "BlobTierInferred", "BlobTierLastModifiedTime", "DeletedTime"),
    "RemainingDaysBeforePermanentDelete",
)
_NEW_PROPERTIES = (*("CreatedOn", "Metadata", "ContentLength", "ContentHash", "AccessTier", "AccessTierInferred", "AccessTierChangedOn"),)
_RENUMBERED = ("BlobType", "LeaseStatus", "LeaseState")

DIFFERENCES = (
    Difference(
        "Ours follows extension 5.x where the two differ (functions-host 6): members of a blob's properties that only 4.0.2 has",
        tuple(f"* / property {name}" for name in _OLD_PROPERTIES),
    ),
    Difference(
        "Ours follows extension 5.x: members of a blob's properties that only 5.x has",
        tuple(f"* / property {name}" for name in _NEW_PROPERTIES),
    ),
    Difference(
        "Ours follows extension 5.x: its enumerations begin at 0 where those of 4.0.2 have a value for unspecified",
        tuple(f"* / property {name}" for name in _RENUMBERED),
    ),
    Difference(
        "Ours follows extension 5.x: an ETag in the name of a receipt and in a poison message has no quotes",
        ("blob azure-webjobs-hosts/blobreceipts/* / quotes", "queue webjobs-blobtrigger-poison"),
    ),
)
