"""The gateway application."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"
