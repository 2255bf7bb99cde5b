"""The error tree. Every message is one sentence with the cause and the fix.

```
StepdownError
├── UsageError            exit 2: the command, its options or its configuration are wrong
│   ├── ConfigError       stepdown.toml: an unknown key, a wrong value
│   └── PluginError       no such format, family or provider, or it failed to load
├── InputError            exit 2: what was read is not what it has to be
│   ├── LogError          not a call log, or nothing in it could be read
│   └── ArtefactError     a student, proof or dataset is missing, changed or unreadable
├── Refusal               exit 1: understood, and the answer is "no, and why"
│   ├── NotEnoughData     too few examples to train or to certify
│   ├── NotCertified      no threshold keeps the promise
│   └── Unavailable       an extra, a model's weights or the hardware for it is not there
└── UpstreamError         the model behind the API failed
```
"""

__all__ = [
    "ArtefactError",
    "ConfigError",
    "InputError",
    "LogError",
    "NotCertified",
    "NotEnoughData",
    "PluginError",
    "Refusal",
    "StepdownError",
    "Unavailable",
    "UpstreamError",
    "UsageError",
]


class StepdownError(Exception):
    """Root of the tree; `exit_status` is what the command line ends with."""

    exit_status = 1


class UsageError(StepdownError):
    """The command, its options or its configuration are wrong."""

    exit_status = 2


class ConfigError(UsageError):
    """`stepdown.toml` has an unknown key or a wrong value."""


class PluginError(UsageError):
    """No such log format, family or provider, or it failed to load."""


class InputError(StepdownError):
    """What was read is not what it has to be; `field` names the part of it, where one is wrong."""

    exit_status = 2

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class LogError(InputError):
    """Not a call log, or nothing in it could be read."""


class ArtefactError(InputError):
    """A student, proof or dataset is missing, changed or unreadable."""


class Refusal(StepdownError):
    """Understood, and the answer is no, with its reason."""


class NotEnoughData(Refusal):
    """Too few examples to train on or to certify with."""


class NotCertified(Refusal):
    """No threshold keeps the promise on the calibration rows."""


class Unavailable(Refusal):
    """A rung can't be used here: an extra, weights or hardware is missing, damaged or too small."""


class UpstreamError(StepdownError):
    """The model behind the API failed; `status` is the HTTP status, None where nothing came.

    `retry_after` is in how many seconds the server said to try again, None where it said nothing.
    `unsent`: it was never reached, so it has done nothing.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        retry_after: float | None = None,
        *,
        unsent: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.unsent = unsent
