"""llama.cpp itself: imported when a model is loaded, and silent but for our log."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from typing import Any, Final

from actors.models.amx import is_safe
from actors.models.errors import ModelError

_log = logging.getLogger(__name__)

#: the levels of ggml.h: warnings, which often mean nothing, and errors, of which we tell by exceptions
_LEVELS: Final = {3: logging.INFO, 4: logging.INFO}
_ERROR: Final = 4
#: a line that goes on with the one before
_GOES_ON: Final = 5

_loading = threading.Lock()
_loaded: dict[str, Any] = {}


def llama() -> Any:
    """The module `llama_cpp`, ready for use. What llama.cpp says goes to the log of this module.

    Raises:
        ModelError: it is not installed, or does not work here.
    """
    with _loading:
        if "module" not in _loaded:
            _loaded["module"] = _imported()
        return _loaded["module"]


def first_error() -> str:
    """The first error that llama.cpp told of in this thread since this was asked; empty if there was none."""
    lines: _Lines | None = _loaded.get("lines")
    return "" if lines is None else lines.first_error()


def model_params(gpu_layers: int, *, may_use_amx: bool | None = None) -> Any:
    """How a file is to be loaded.

    Args:
        gpu_layers: layers on a GPU; -1: all.
        may_use_amx: whether weights may lie as the processor's AMX units want them; None: if these work.
    """
    lib = llama()
    params = lib.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    params.use_extra_bufts = is_safe(lib) if may_use_amx is None else may_use_amx
    return params


def _imported() -> Any:
    try:
        import llama_cpp
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("llama_cpp", "numpy"):
            raise
        raise ModelError('llama.cpp is not installed; `pip install "rtfs[models]"` compiles it') from error
    except (OSError, RuntimeError) as error:
        raise ModelError(f"llama.cpp does not work here: {error}") from error
    # where llama.cpp ends the process it would first start a debugger to print its stack
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    _loaded["lines"] = _Lines()
    callback = llama_cpp.llama_log_callback(_loaded["lines"])
    # kept as long as this process lives: llama.cpp may call it at any time
    _loaded["callback"] = callback
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


class _Lines:
    """Puts what llama.cpp says piece by piece into the log, line by line."""

    def __init__(self) -> None:
        # several threads may load models
        self._own = threading.local()

    def __call__(self, level: int, text: bytes | None, _: object) -> None:
        begun: tuple[int, bytes] = getattr(self._own, "begun", (0, b""))
        level = begun[0] if level == _GOES_ON else level
        *lines, rest = (begun[1] + (text or b"")).split(b"\n")
        self._own.begun = level, rest
        for line in lines:
            if not line.strip(b" ."):
                continue
            told = line.decode(errors="replace")
            if level == _ERROR and not getattr(self._own, "error", ""):
                self._own.error = told
            _log.log(_LEVELS.get(level, logging.DEBUG), "%s", told)

    def first_error(self) -> str:
        found: str = getattr(self._own, "error", "")
        self._own.error = ""
        # the names of the functions that handed it on say nothing to the reader
        return found.rpartition("error loading model: ")[2].strip()
