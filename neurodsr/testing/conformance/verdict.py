"""How a check ends where it does not simply hold: the contract is broken, or says nothing here."""

from __future__ import annotations


class ContractError(AssertionError):
    """A modality that does not do what neurodsr relies on.

    Parameters
    ----------
    expected, found
        What should be there and what is, with numbers.
    contract
        The part of the contract that says so, such as "Modality.load".
    fix
        How such a thing is usually mended.
    """

    def __init__(self, *, expected: str, found: str, contract: str, fix: str) -> None:
        super().__init__(expected, found, contract, fix)
        self.expected, self.found, self.contract, self.fix = expected, found, contract, fix

    def __str__(self) -> str:
        return (
            f"expected {self.expected}; found {self.found}"
            f"\n  contract: {self.contract}\n  fix: {self.fix}"
        )


class NotApplicableError(Exception):
    """A check that says nothing about this modality, with the reason."""


def require(holds: object, *, expected: str, found: str, contract: str, fix: str) -> None:
    """Go on if something holds, and raise what is wrong otherwise."""
    if not holds:
        raise ContractError(expected=expected, found=found, contract=contract, fix=fix)
