"""How the stack tells a person that it cannot go on."""

from __future__ import annotations


class StackError(Exception):
    """One clear line: what is wrong, where, what would be right. Exit code 2 is wrong input, 3 something out of reach."""

    def __init__(self, message: str, exit_code: int = 3) -> None:
        super().__init__(message)
        self.exit_code = exit_code
