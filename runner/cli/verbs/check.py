"""`rivya-batch check FILE...`: reads, expands and checks; sends nothing and needs no key."""

from __future__ import annotations

import time
from pathlib import Path

import click

from jobs.findings import Finding
from jobs.render import findings_json, findings_text
from runner.cli.figures import count
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.voice import Voice
from runner.models_cache import load_catalogue
from runner.prepare import check_manifest
from runner.selection import Choices

__all__ = ["command"]


@verb("check", example="rivya-batch check manifests/*.yaml")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--allow-large", is_flag=True, help="Permit more than 10,000 items.")
@click.pass_obj
def command(voice: Voice, files: tuple[Path, ...], *, allow_large: bool) -> int:
    findings: list[Finding] = []
    texts: dict[str, str] = {}
    for file in files:
        settings = settings_for(voice, beside=file.parent)
        catalogue = load_catalogue(settings.base_url, now_epoch_s=time.time())
        checked = check_manifest(file, catalogue=catalogue, choices=Choices(allow_large=allow_large))
        findings += checked.findings
        texts |= checked.texts
        if not checked.errors and checked.expansion is not None and not voice.json:
            voice.talk(f"{file}: {count(len(checked.expansion.items), 'item')}, no errors")
    if voice.json:
        voice.object(findings_json(findings))
    elif findings:
        voice.alert(findings_text(findings, texts).rstrip("\n"))
    return 2 if any(finding.severity == "error" for finding in findings) else 0
