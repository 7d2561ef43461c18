"""The OpenAPI document of everything under /v1, how it is served, and the reference page that is made from it.

Requests are described by the pydantic models that check them (`gateway.schemas`), errors by docs/errors.md, answers by
the models in this package, which the tests hold against real answers.
"""
