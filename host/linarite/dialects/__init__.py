"""Between the durable core and one generation of the Durable SDK."""
