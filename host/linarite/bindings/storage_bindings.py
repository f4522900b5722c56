"""The storage bindings, together."""

from __future__ import annotations

from linarite.bindings.blob import BlobBinding
from linarite.bindings.connections import Connections
from linarite.bindings.protocol import BindingTypes
from linarite.bindings.queue import QueueOutput
from linarite.bindings.resolver import Resolver
from linarite.bindings.table import TableBinding
from linarite.bindings.wakes import Wakes
from linarite.clock import Clock
from linarite.settings import QueueSettings


def storage_bindings(connections: Connections, queues: QueueSettings, clock: Clock, wakes: Wakes) -> BindingTypes:
    """Queues, blobs and tables by their binding types; accounts are opened when a function needs them."""
    resolver = Resolver(connections, clock)
    blob, table = BlobBinding(resolver, wakes), TableBinding(resolver)
    return BindingTypes(
        inputs={"blob": blob, "table": table},
        outputs={"blob": blob, "table": table, "queue": QueueOutput(resolver, queues.encoding, wakes)},
    )
