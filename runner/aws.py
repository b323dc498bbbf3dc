"""Whose bucket, and as whom: what AWS's own variables and files say, for the store to use.

Keys in the environment and tokens of a web identity, a container or the machine are found by the store itself. What
it does not read is the shared files of `aws configure`; this does, for profiles that hold keys. Nothing of it is
shown, logged or kept.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from runner.addresses import is_loopback
from runner.errors import OutputUnusable

__all__ = ["VARIABLES", "AwsAccess", "aws_access"]

# What decides here; AWS_SECRET_ACCESS_KEY and tokens are not read by us at all.
VARIABLES: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_ALLOW_HTTP",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
)

_KEYS: Final = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccess:
    """Settings for the store beyond what it finds by itself. `plain_http`: the endpoint may go without TLS."""

    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    plain_http: bool = False


def aws_access(variables: Mapping[str, str], *, home: Path) -> AwsAccess:
    """What the variables and the files below `home` say. Raises OutputUnusable for a profile without keys."""
    named = variables.get("AWS_PROFILE") or variables.get("AWS_DEFAULT_PROFILE")
    profile = named or "default"
    keys = _section(variables.get("AWS_SHARED_CREDENTIALS_FILE"), home / ".aws/credentials", profile)
    more = _section(
        variables.get("AWS_CONFIG_FILE"),
        home / ".aws/config",
        profile if profile == "default" else f"profile {profile}",
    )
    config = {}
    if "AWS_ACCESS_KEY_ID" not in variables:
        found = {**more, **keys}
        config = {ours: found[theirs] for theirs, ours in _KEYS.items() if theirs in found}
        if named and len(config) < 2:
            raise OutputUnusable(
                f"The AWS profile `{named}` has no keys of its own. Nothing was sent.",
                code="bucket-no-credentials",
                next_step=f'eval "$(aws configure export-credentials --profile {named} --format env)", then run again',
            )
    if "region" in more and not (variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")):
        config["region"] = more["region"]
    endpoint = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL") or more.get("endpoint_url")
    if not endpoint:
        return AwsAccess(config=config)
    config["endpoint"] = endpoint
    allowed = variables.get("AWS_ALLOW_HTTP", "").lower() == "true"
    if not allowed and not _is_safe(endpoint):
        raise OutputUnusable(
            "AWS_ENDPOINT_URL (or `endpoint_url` of the AWS profile) is no https address. Nothing was sent.",
            code="bucket-plain-http",
            next_step="use https; for a store in your own network AWS_ALLOW_HTTP=true permits plain http",
        )
    return AwsAccess(config=config, plain_http=allowed or endpoint.startswith("http:"))


def _section(named: str | None, otherwise: Path, section: str) -> dict[str, str]:
    """One section of one of AWS's files; empty when there is none, or none that can be read."""
    reader = configparser.RawConfigParser()
    try:
        reader.read(Path(named).expanduser() if named else otherwise, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    return dict(reader[section]) if reader.has_section(section) else {}


def _is_safe(endpoint: str) -> bool:
    """Whether it is https, or does not leave this machine: sidecars hold prompts."""
    try:
        parts = urlsplit(endpoint)
        return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        return False
