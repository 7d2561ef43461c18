"""`./dev screenshots`: pictures of the pages, with a month of data, from servers of their own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from config.stack import chromium, testing
from config.stack.state import ROOT, StackError
from config.stack.supervisor import Stopped

FOLDER = ROOT / ".dev" / "screenshots"


def run(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    program = chromium.find(os.environ)
    if program is None:
        raise StackError(f"There is no browser to take pictures with. {chromium.HOW_TO_GET_IT}")
    command = [sys.executable, "-m", "tests.browser.screenshots", str(options.to.resolve()), *options.pages]
    try:
        with testing.bench() as bench:
            env = {**bench.env, chromium.VARIABLE: program}
            return bench.supervisor.run_in_foreground(command, env)
    except Stopped:
        return 130


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev screenshots", description="Take pictures of the pages: wide and narrow, light and dark."
    )
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="words of names, such as keys or billing; all of them")
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="FOLDER", help="where they go: .dev/screenshots")
    return parser.parse_args(arguments)
