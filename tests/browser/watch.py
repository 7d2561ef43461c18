"""What a page does while it is looked at, and must not do."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page, Request, Response

GIVEN_UP = "net::ERR_ABORTED"  # the browser's word for what it left behind when it went to another page
OF_A_STATUS = "Failed to load resource: the server responded with a status of"


@dataclass
class Watch:
    """Errors in the console (breaches of the content security policy are among them), uncaught exceptions, requests
    that failed, and requests to anybody else."""

    page: Page
    origin: str
    expected: set[int] = field(default_factory=set)  # statuses that a test asks for
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        self.page.on("request", self._request)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)

    def assert_clean(self) -> None:
        assert self.wrong == [], f"{self.page.url}: {self.wrong}"

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(OF_A_STATUS):
            self.wrong.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.wrong.append(f"asks somebody else: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != GIVEN_UP:
            self.wrong.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.wrong.append(f"{response.status}: {response.url}")
