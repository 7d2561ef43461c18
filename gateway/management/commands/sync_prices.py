"""Bring prices in step with what vendors ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from billing.models import Price
from gateway import registry_sync, vendor_prices
from gateway.models import Model
from gateway.vendor_prices import Comparison, PackageMissingError


class Command(BaseCommand):
    help = "Show where prices differ from those that the package genai-prices lists. Writes new versions with --apply."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--model", action="append", metavar="ID", help="only this model; may be given several times"
        )
        parser.add_argument("--apply", action="store_true", help="write what is shown, in force from now on")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            registry_sync.take_turns()
            models = self._models(options["model"] or ())
            try:
                found = vendor_prices.compare(models, Price.objects.in_force(), at=timezone.now())
            except PackageMissingError as error:
                raise CommandError("genai-prices is not installed. Run: pip install genai-prices") from error
            if options["apply"]:
                for proposal in found.proposals:
                    registry_sync.add_price(proposal.model, proposal.price)
        self._tell(found, applied=options["apply"])

    def _models(self, names: Sequence[str]) -> Sequence[Model]:
        """Those named, or all. Sandbox and demonstration models cost what we say, and no vendor lists them."""
        known = Model.objects.filter(sandbox=False, demonstration=False).prefetch_related("routes__provider")
        models = {model.id: model for model in known}
        for name in names:
            if name not in models:
                raise CommandError(f"--model {name}: there is no such model, or it is for trying things out.")
        return [model for model in models.values() if model.id in names or not names]

    def _tell(self, found: Comparison, *, applied: bool) -> None:
        for proposal in found.proposals:
            self.stdout.write("\n".join([proposal.model, *(f"  {line}" for line in proposal.lines)]))
        for reason in found.skipped:
            self.stdout.write(f"left alone: {reason}")
        counts = f"{len(found.proposals)} differ, {len(found.same)} are the same, {len(found.skipped)} left alone."
        if applied and found.proposals:
            advice = " Written. Where a registry file states these prices, change it too, or its next sync undoes this."
        else:
            advice = " Nothing was written; --apply does it." if found.proposals else ""
        self.stdout.write(counts + advice)
