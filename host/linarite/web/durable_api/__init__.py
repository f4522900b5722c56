"""The durable client's two doors: the public management API and the SDK's own endpoint, with the same handlers behind both."""
