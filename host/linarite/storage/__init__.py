"""One narrow door to Azure Storage."""
