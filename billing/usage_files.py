"""A chart as a file: the rows and columns of its table, with every number in full."""

from __future__ import annotations

import csv
import io

from accounts.audit_query import FORMULA
from billing.usage_charts import Chart
from billing.usage_metrics import UNITS


def as_csv(chart: Chart) -> str:
    """Instants carry their offset, money is in dollars, times are in milliseconds; an average of nothing is empty."""
    text = io.StringIO()
    write = csv.writer(text).writerow
    unit = UNITS[chart.metric.kind]
    total = f"{chart.total_word} ({unit})" if unit else chart.total_word
    before = [chart.previous_words] if chart.previous is not None else []
    write(_cell(name) for name in ["From", "To", *(one.label for one in chart.series), total, *before])
    columns = [one.values for one in chart.series]
    columns.append([chart.metric.of(one) for one in chart.sums])
    if chart.previous_values is not None:
        columns.append(chart.previous_values)
    for n, label in enumerate(chart.labels):
        write([label.start.isoformat(), label.end.isoformat(), *(chart.metric.plain(column[n]) for column in columns)])
    return text.getvalue()


def name_of(chart: Chart) -> str:
    """`acme-spend-by-model-2026-11-01-to-2026-11-25.csv`"""
    period, group = chart.selection.period, chart.selection.group
    by = "" if group == "none" else f"-by-{group}"
    days = f"{period.first_day}-to-{period.last_day}"
    return f"{chart.organization.slug}-{chart.metric.key}{by}-{days}.csv"


def _cell(name: str) -> str:
    """As text that no spreadsheet takes for a formula."""
    return f"'{name}" if name.startswith(FORMULA) else name
