"""Every error a user can meet.

An error says four things: a stable code, what was seen, what is accepted, and the next
command to type. The exit code of a command line run lives on the class.
"""

from __future__ import annotations


class HtvmError(Exception):
    """Base of all errors htvm raises on purpose.

    Args:
        message: One line: what is wrong, with the name of the thing it is about.
        code: Stable identifier such as ``"E203"``; shown as ``HTVM-E203``.
        seen: What was found, with numbers.
        accepted: What would have been accepted.
        hint: The next command or action.
    """

    exit_code = 1
    default_code = "E000"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        seen: str = "",
        accepted: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.seen = seen
        self.accepted = accepted
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with every field, so that an error survives a worker process."""
        return (
            _rebuild,
            (type(self), self.message, self.code, self.seen, self.accepted, self.hint),
        )

    def to_json(self) -> dict[str, object]:
        """The error as the ``error`` object of a ``--json`` document."""
        return {
            "code": f"HTVM-{self.code}",
            "message": self.message,
            "seen": self.seen,
            "accepted": self.accepted,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


def _rebuild(
    kind: type[HtvmError], message: str, code: str, seen: str, accepted: str, hint: str
) -> HtvmError:
    return kind(message, code=code, seen=seen, accepted=accepted, hint=hint)


class InternalError(HtvmError):
    """A bug of htvm or of a plug-in: an invariant that no input should break."""

    exit_code = 1
    default_code = "E001"


class UsageError(HtvmError):
    """A file, an option or an input array that cannot be used as given."""

    exit_code = 2
    default_code = "E100"


class UnsupportedModelError(HtvmError):
    """A network that cannot be taken: an op, a type, a shape."""

    exit_code = 3
    default_code = "E200"


class DoesNotFitError(HtvmError):
    """A network or layer larger than a memory of the chip."""

    exit_code = 4
    default_code = "E300"


class MismatchError(HtvmError):
    """The generated C and the integer reference differ."""

    exit_code = 5
    default_code = "E400"


class ToolError(HtvmError):
    """A compiler or another outside tool is missing or failed."""

    exit_code = 6
    default_code = "E500"


class PluginError(HtvmError):
    """A target plug-in is missing, broken or incompatible."""

    exit_code = 7
    default_code = "E600"
