"""Answering requests: the API, the registry of models, and the providers behind it."""
