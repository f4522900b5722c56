"""Where our answers differ from the recorded ones, and why: the one table."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Exchanges by scenario and index that we answer with `status`, and with `says` in the body; on the embedded hub, or on every one."""

    reason: str
    exchanges: dict[str, tuple[int, ...]]
    status: int
    says: str = ""
    is_embedded_only: bool = False


DIFFERENCES = (
    Difference(
        "Ours: an id that no orchestration may have is refused (spec 6, 9.1): begins with @",
        {"api_start": (4,), "api_ids": (2, 3)},
        400,
        "Orchestration instance ids must not start with @.",
    ),
    Difference(
        "Ours: the same, for an id with a forbidden character",
        {"api_start": (1, 5, 8), "api_ids": (4, 5, 6)},
        400,
        "Orchestration instance ids must not contain /, \\\\, #, ?, or control characters.",
    ),
    Difference(
        "Ours: the same, for an id of more than 256 characters",
        {"api_start": (7,), "api_ids": (8, 9)},
        400,
        "Instance ID lengths must not exceed 256 characters.",
    ),
    Difference("An instance with such an id was not started, so it is not there", {"api_ids": (16, 17, 18, 19, 20, 22)}, 404),
    Difference("The same, asked to end", {"api_ids": (30, 31, 32, 33, 34, 36)}, 404),
    Difference(
        "Ours: bodies are strict JSON (spec 6): a comment, a cut-off text, NaN, blanks",
        {"api_start": (19, 20, 21, 22)},
        400,
        "Invalid JSON content",
    ),
    Difference("The instance with the comment was not started, so it breaks no status", {"api_start": (54,)}, 404),
    Difference("Ours: nor does it break a list (spec 6)", {"api_list": (20,)}, 200, '"instanceId":"st-completed"'),
    Difference(
        "Ours: a JSON string as input that the SDK could not decode reaches the function as that string (spec 2.2)",
        {"api_start": (43,)},
        200,
        '"Hello None!","x"]',
    ),
    Difference("Ours: the same for a number; the orchestrator runs and waits for its events", {"event_three": (1, 2, 3)}, 202),
    Difference("The same, at its end", {"event_three": (4,)}, 200, '"output":[1,2,3]'),
    Difference(
        "Ours: a plus sign in a path is one (spec 6), so the id is `a+b` where the extension reads `a b`",
        {"api_ids": (27,)},
        202,
        '"instanceId":"a+b"',
    ),
    Difference("The same, in its check-status URLs", {"api_ids": (13,)}, 202, "/instances/a%2Bb?"),
    Difference("The same, in the name of an event", {"event_names": (11,)}, 202, '"Name":"a+b"'),
    Difference(
        "Ours: an unknown status is refused, not left out (spec 6)",
        {"api_list": (6, 8), "api_purge": (13,)},
        400,
        "'bogus' is not a runtime status",
    ),
    Difference(
        "Ours: names of statuses count in any case, so this filters (spec 6)", {"api_list": (7,)}, 200, '"instanceId":"st-completed"'
    ),
    Difference("Ours: a negative page size is the caller's mistake (spec 6)", {"api_list": (17,)}, 400, "top=-1"),
    Difference("Ours: a purge deletes finished instances only; none were asked for (spec 6)", {"api_purge": (16,)}, 404),
    Difference(
        "Ours: an operation's input that the SDK could not decode, or that is missing, is encoded for it (spec 4.2): 5 is added",
        {"api_entities": (2, 3)},
        200,
        "12",
    ),
    Difference("The same, in lists with states", {"api_entities": (27, 34, 38)}, 200, '"state":12}'),
    Difference(
        "Operations without input succeed for the same reason, so their entities exist and are listed",
        {"api_entities": (24, 25, 26, 30, 31)},
        200,
        '"entityId":{"name":"counter","key":"h2"}',
    ),
    Difference("The same, in the status of such an entity", {"api_entities": (42,)}, 202, '"customStatus":{"entityExists":true}'),
    Difference("Ours: a deleted entity is gone (spec 6)", {"api_entities": (41,)}, 404),
    Difference("The recorded hub still held entities of scenarios that are not played here", {"api_list": (22,)}, 200, "[]"),
    Difference(
        "The recorded hub held more instances of earlier scenarios; this lists all there is", {"r4_rpc": (0,)}, 200, '"instanceId":" lead"'
    ),
    Difference("The recorder's storage had another hub under this name, which failed; here there is none", {"api_status": (49,)}, 404),
    Difference(
        "Our own sentence for a path outside the endpoint, where .NET's substring fails",
        {"rpc_outside": (0,)},
        400,
        "paths begin with /durabletask/",
    ),
    Difference(
        "Holding an instance needs no run of its function, so the embedded hub does it at once, whatever the version",
        {"api_pending": (11,)},
        202,
        '"runtimeStatus":"Suspended","input":"p","customStatus":null,"output":"s"',
        is_embedded_only=True,
    ),
    Difference(
        "On the embedded hub a pending instance is ended by an event like any other, so it has a history; on Azure the row alone changes",
        {"api_pending": (12,)},
        200,
        '"runtimeStatus":"Terminated","input":"p","customStatus":null,"output":"tt"',
        is_embedded_only=True,
    ),
)

REWRITTEN = (
    (
        re.compile(r"http://127\.0\.0\.1:17071/runtime/"),
        "http://localhost:7071/runtime/",
        "Ours: URLs in answers of the SDK's endpoint point to the public door (spec 5.2)",
    ),
    (
        re.compile(r"(?<=/instances/)(a\+b\+%C3%BC|\+lead)(?=[/?])"),
        lambda blanks: blanks.group().replace("+", "%20"),
        "Ours: a plus sign in a path is one (spec 6), so blanks in URLs are written as %20",
    ),
)
"""What is read otherwise in every recorded text: pattern, replacement, why."""


def expected(text: str) -> str:
    """A recorded text as ours should be."""
    for pattern, replacement, _ in REWRITTEN:
        text = pattern.sub(replacement, text)
    return text


BY_EXCHANGE = {
    (scenario, index): difference for difference in DIFFERENCES for scenario, indexes in difference.exchanges.items() for index in indexes
}
