"""Task hubs: where durable work is stored and handed out."""
