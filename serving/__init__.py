"""The service, the online store and the command line."""
