"""Which walls a machine has: kinds of walls, the strongest first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tier:
    """Which walls hold on this machine, found out by trying."""

    namespaces: bool
    landlock: bool
    why: str = ""
    abi: int = 99  # what later versions of Landlock than this one know is not asked for

    @property
    def confined(self) -> bool:
        """Whether files, network and processes are confined, so that others' code may be run."""
        return self.namespaces or self.landlock

    def describe(self) -> str:
        """One sentence for reports."""
        if self.namespaces and self.landlock:
            return "namespaces, Landlock, seccomp, limits: no network, no files but the submission, an ordinary user"
        if self.namespaces:
            return "namespaces, seccomp, limits: no network, no files but the submission, an ordinary user"
        if self.landlock:
            return (
                "Landlock, seccomp and limits, without namespaces: no network, no files but the submission; "
                "whether a file exists whose name is guessed can be asked"
            )
        return f"not isolated{f' ({self.why})' if self.why else ''}"


TIERS = (Tier(True, True), Tier(True, False), Tier(False, True))  # the strongest first
NONE = Tier(False, False, "no way to confine a process on this system")
