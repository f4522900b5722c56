"""The JSON "shim" protocol of `azure-functions-durable` 1.x: one string in, one JSON document out."""
