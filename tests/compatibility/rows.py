"""The rows of the page: small requests, each of which needs one thing."""

from __future__ import annotations

from tests.compatibility.rows_of_answers import ANSWERS, ENDPOINTS, FORMATS, MESSAGES, TOOLS
from tests.compatibility.rows_of_fields import FILES, REASONING, REST, SAMPLING

SECTIONS = (ENDPOINTS, ANSWERS, MESSAGES, TOOLS, FORMATS, FILES, SAMPLING, REASONING, REST)
