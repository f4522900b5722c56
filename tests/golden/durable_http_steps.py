"""Which recorded scenarios are played, in the order they were recorded in, and what the recorder did between their exchanges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.durable_http import Clear, Post, Step, Wait

SCENARIOS = (
    "event_three2", "chain", "chain_http_body", "start_version", "event_number", "event_string", "event_sdknull",
    "api_setup", "api_status", "api_start", "api_raise", "api_terminate", "api_suspend", "api_resume", "api_rewind", "api_restart",
    "api_list", "api_purge", "api_entities", "api_misc", "api_ids", "r4_rpc", "rpc_outside", "api_pending", "event_names", "forwarded",
    "event_unicode", "event_sdkstyle", "event_null", "event_empty", "event_case", "event_before", "event_pending", "event_date",
    "event_floats", "event_three",
)  # fmt: skip

NOT_ON_AZURITE = {"event_before"}
"""What happens before a timer is due cannot be told from what happens after it where only the number of messages is known."""

_EACH_STATUS = (
    Post("orchestrators/wait/s2-running"),
    Post("orchestrators/wait/s2-susp"),
    Post("orchestrators/nulls/s2-completed"),
    Post("orchestrators/failorch/s2-failed"),
    Post("orchestrators/wait/s2-term"),
    Post("instances/s2-susp/suspend"),
    Post("instances/s2-term/terminate"),
)

UNRECORDED: Mapping[str, Mapping[int, Sequence[Step]]] = {
    "api_setup": {5: (Post("instances/st-term/terminate?reason=r"), Post("instances/st-susp/suspend?reason=r"))},
    "api_terminate": {0: _EACH_STATUS, 10: (Clear("s2-"),)},
    "api_suspend": {0: _EACH_STATUS, 10: (Clear("s2-"),)},
    "api_resume": {0: _EACH_STATUS, 10: (Clear("s2-"),)},
    "api_rewind": {0: _EACH_STATUS, 10: (Clear("s2-"),)},
    "api_restart": {4: (Post("instances/r-term/terminate"),)},
    "api_list": {0: tuple(Post(f"orchestrators/nulls/lst-{number}") for number in range(7))},
    "api_purge": {
        3: (Post("orchestrators/wait/pg-run"),),
        6: (Post("orchestrators/wait/pg-susp"), Post("instances/pg-susp/suspend")),
        7: (Post("orchestrators/big/pg-big"),),
        17: (Clear(""),),  # what the recorded purge of running instances did
    },
    "api_pending": {
        0: tuple(Post(f"orchestrators/wait/pend-{number}?version=9.0", '"p"') for number in range(9)),
        10: (Wait(2),),
    },
    "event_before": {3: (Wait(3),)},
}
"""By scenario and the index of the exchange they come before."""
