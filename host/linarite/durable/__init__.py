"""The pure durable core: history, messages, actions and what one episode decides. No IO, no asyncio, no clock."""
