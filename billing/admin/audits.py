"""Staff's pages for what proves the ledger: audits, blocks, statements. Each says at once whether all is well."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.staff import ModelAdmin, ReadOnly, display, moment
from billing import money, sealing, signing, statements
from billing.audit import Violation
from billing.models import AuditRun, Block, Statement
from billing.verification import UnsoundError, verify

VERDICTS = {"balanced": "success", "differences": "danger"}


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnly, ModelAdmin[AuditRun]):
    """What each audit found, newest first."""

    list_display = ("started", "result", "differences", "checks", "kind", "organization")
    list_filter = ("full", ("started_at", admin.DateFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("organization__slug",)
    search_help_text = "An organisation's slug, for audits of it alone"
    list_per_page = 50
    fields = ("result", "started_at", "ended_at", "kind", "organization", "checks", "differences", "found")
    readonly_fields = ("result", "kind", "found")

    @display(description="Started", ordering="id")
    def started(self, run: AuditRun) -> SafeString | None:
        return moment(run.started_at)

    @display(description="Verdict", label=VERDICTS)
    def result(self, run: AuditRun) -> str:
        return run.verdict

    @display(description="Looked at")
    def kind(self, run: AuditRun) -> str:
        return "everything" if run.full else "the last hours"

    @display(description="Found", empty_value="Nothing.")
    def found(self, run: AuditRun) -> SafeString | None:
        lines = [(str(Violation(**violation)),) for violation in run.violations]
        return format_html_join("", "<p>{}</p>", lines) if lines else None


@admin.register(Block)
class BlockAdmin(ReadOnly, ModelAdmin[Block]):
    """The chain. A block's own page holds it against the ledger of this moment."""

    list_display = ("hour", "organization", "number", "entries", "balance", "short_hash")
    list_filter = (("starts_at", admin.DateFieldListFilter),)
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "hash")
    search_help_text = "An organisation's slug, or a hash"
    list_per_page = 50
    fields = (
        "verdict", "organization", "number", "starts_at", "entries", "first_id", "last_id", "balance",
        "root", "previous_hash", "hash",
    )  # fmt: skip
    readonly_fields = ("verdict", "balance")

    @display(description="Hour", ordering="starts_at")
    def hour(self, block: Block) -> SafeString | None:
        return moment(block.starts_at)

    @display(description="Balance after it")
    def balance(self, block: Block) -> str:
        return f"${money.dollars(block.closing_nano)}"

    @display(description="Hash")
    def short_hash(self, block: Block) -> str:
        return f"{block.hash[:12]}…"

    @display(description="Verdict", label={"intact": "success", "altered": "danger"})
    def verdict(self, block: Block) -> str:
        return "intact" if sealing.is_intact(block) else "altered"


@admin.register(Statement)
class StatementAdmin(ReadOnly, ModelAdmin[Statement]):
    """What was told to customers. A statement's own page verifies it as they would."""

    list_display = ("of_month", "organization", "key_id", "made")
    ordering = ("-month", "organization")
    list_filter = ("month",)
    list_select_related = ("organization",)
    search_fields = ("organization__slug",)
    search_help_text = "An organisation's slug"
    fields = ("verdict", "checked", "organization", "of_month", "created_at", "key_id", "signature")
    readonly_fields = ("verdict", "checked", "of_month")

    @display(description="Month", ordering="month")
    def of_month(self, statement: Statement) -> str:
        return f"{statement.month:%Y-%m}"

    @display(description="Made", ordering="created_at")
    def made(self, statement: Statement) -> SafeString | None:
        return moment(statement.created_at)

    @display(description="Verdict", label={"sound": "success", "unsound": "danger"})
    def verdict(self, statement: Statement) -> str:
        return "sound" if _checked(statement)[0] else "unsound"

    @display(description="Checked")
    def checked(self, statement: Statement) -> SafeString:
        return format_html_join("", "<p>{}</p>", [(sentence,) for sentence in _checked(statement)[1]])


def _checked(statement: Statement) -> tuple[bool, list[str]]:
    """Whether it is sound, and what was checked or is wrong."""
    try:
        return True, verify(statements.contents(statement), signing.public_keys())
    except UnsoundError as error:
        return False, [str(error)]
