"""The Azure Storage hub: DurableTask.AzureStorage, on the wire."""
