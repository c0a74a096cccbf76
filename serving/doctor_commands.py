"""`scoring doctor`: what is wrong with an installation."""

from __future__ import annotations

import typer

from serving.options import HomeOption, SourceOption, out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(source: SourceOption = "sample", home: HomeOption = None) -> None:
    """Check the installation and a workspace: a line a check, and what is wrong with its cure; exit code 1 for any."""
    from serving.doctor import examine
    from serving.patient import Patient

    wrong = 0
    for each in examine(Patient(source, home)):
        state = "not made" if each.before else "wrong" if each.wrong else "ok"
        said = f"first mend: {each.before}" if each.before else "" if each.wrong else "; ".join(each.notes)
        out.print(f"{state:<9} {each.name:<11} {said}".rstrip(), markup=False, soft_wrap=True)
        for letter in each.wrong:
            out.print(letter.letter(), markup=False, soft_wrap=True)
        wrong += len(each.wrong)
    out.print(f"{wrong or 'Nothing'} wrong.", markup=False)
    if wrong:
        raise typer.Exit(1)
