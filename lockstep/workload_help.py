"""Help of commands that take a workload: it lists the names that every kind of workload offers."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperOption

NAMES = "{workloads}"  # what the names take the place of in the help of an option


class WorkloadCommand(TyperCommand):
    """A command whose options' help may hold NAMES. Kinds are asked only where it is shown: they import numpy."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help with the names in place."""
        from workloads.load import workload_names

        names = ", ".join(workload_names())
        for option in self.params:
            if isinstance(option, TyperOption) and option.help:
                option.help = option.help.replace(NAMES, names)
        super().format_help(ctx, formatter)
