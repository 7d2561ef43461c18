"""One JSON object a line on stderr, with secrets taken out of the text and of tracebacks."""

import logging
from datetime import UTC, datetime

import orjson

from accounts.redaction import redact

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# Nothing of these is ever written, and each is looked up for every line: see "Optimization" in Python's logging HOWTO.
logging._srcfile = None  # noqa: SLF001 - the name that the HOWTO gives
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class Redact(logging.Filter):
    """Fold the arguments into the message, so that what is redacted is what would have been written."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


class JsonFormatter(logging.Formatter):
    """`time`, `level`, `logger`, `message`, then whatever was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in sorted(vars(record).keys() - _STANDARD):
            value = getattr(record, name)
            line[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str).decode()
