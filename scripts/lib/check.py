"""`scripts/check`: everything that can be known without running a test, one line each."""

import subprocess

from scripts.lib.bootstrap import ROOT, ready_python

IMPORT_RULES = "from importlinter.cli import lint_imports_command; lint_imports_command()"
STEPS = {
    "lint": ["-m", "ruff", "check"],
    "layout": ["-m", "ruff", "format", "--check"],
    "types": ["-m", "mypy"],
    "import rules": ["-c", IMPORT_RULES, "--no-logo"],
    "migrations": ["manage.py", "makemigrations", "--check", "--dry-run"],
    "pins agree": ["-m", "pip", "--disable-pip-version-check", "check"],
    "pins have wheels": ["-m", "scripts.lib.wheels"],
}


def passes(name: str, command: list[str]) -> bool:
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(f"{'failed' if done.returncode else 'ok':8}{name}", flush=True)
    if done.returncode:
        print(done.stdout.rstrip())
    return done.returncode == 0


if __name__ == "__main__":
    python = ready_python()
    results = [passes(name, [python, *arguments]) for name, arguments in STEPS.items()]
    raise SystemExit(not all(results))
