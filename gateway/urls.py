"""The data plane's routes. The edge resolves against this module alone, so that a call to /v1 meets nothing else."""

from django.urls import path

from gateway.api import api

urlpatterns = [path("v1/", api.urls)]
