"""Which addresses may be talked to: the service's base URL, and where results may come from.

A result's address is untrusted: it could point into the user's own network (a router, a cloud's metadata service). So
it must be https on a public host, and both halves are checked: the text here, before anything is resolved, and every
resolved IP address again at the moment of connecting (`address_allowed`, called by the resolver in `runner.transport`).
Text and connection share one parser, yarl, so that the two cannot read one address differently.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from yarl import URL

from runner.errors import AddressRefused, UsageError

__all__ = ["address_allowed", "base_url", "hook_url", "is_loopback", "result_url"]

URL_CHARS_MAX: Final = 8192  # beyond it common servers refuse the request line

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_AUTHORITY = re.compile(r"[a-zA-Z]+://([^/?#]*)")

# Python calls more of IPv6 global than is routed to strangers. Native addresses are all in 2000::/3; of these 6to4
# wraps an IPv4 address that could be anybody's, and 3fff::/20 is for documentation. IPv4-mapped ones (::ffff:0:0/96)
# lie outside and are refused whatever they wrap: no name server has a reason to hand one out.
_IPV6_PUBLIC: Final = IPv6Network("2000::/3")
_IPV6_NOT_PUBLIC: Final = (IPv6Network("2002::/16"), IPv6Network("3fff::/20"))
_NAT64: Final = IPv6Network("64:ff9b::/96")  # an IPv4 address seen from an IPv6-only network
_IPV4_6TO4_RELAY: Final = IPv4Network("192.88.99.0/24")


def base_url(text: str) -> URL:
    """The service's address: https, or http on the loopback; without user, query and fragment; no slash at the end."""
    try:
        url = URL(text)
        scheme, host = url.scheme, url.host
        port = url.port
    except ValueError as error:
        raise _bad_base(text, "is not an address") from error
    if scheme not in {"https", "http"} or not host or port is None:
        raise _bad_base(text, "is not an http address")
    if "@" in text or url.query_string or url.fragment or "?" in text or "#" in text or _FORBIDDEN.search(text):
        raise _bad_base(text, "may only have a host, a port and a path")
    if scheme == "http" and not is_loopback(host):
        raise _bad_base(text, "would send the key unencrypted")
    return URL(str(url).rstrip("/"), encoded=True)


def _bad_base(text: str, why: str) -> UsageError:
    shown = re.sub(r"//[^/]*@", "//", text[:200])  # whoever put a password in there does not want it printed
    return UsageError(
        f"The base URL {shown!r} {why}. Nothing was sent.",
        code="base-url",
        next_step="set RIVYA_BASE_URL to an https address (http only for localhost), or leave it out",
    )


def is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def result_url(text: str, *, loopback: bool) -> URL:
    """The address of a result, checked as far as text goes; raises AddressRefused.

    `loopback`: the service itself is on this machine (the simulator), so its results may be too, and over http.
    """
    try:
        return _public_url(text, loopback=loopback)
    except _UnfitError as unfit:
        # The address itself is left out: its query is often a signature that opens the file to anybody.
        message = f"A result's address {unfit}, so it was not opened. The item stays paid for."
    raise AddressRefused(message)


def hook_url(text: str) -> URL:
    """The address of a notification, by the rules for results, or on this machine; raises AddressRefused."""
    try:
        return _public_url(text, loopback=True)
    except _UnfitError as unfit:
        message = f"The address {unfit}."
    raise AddressRefused(message)


class _UnfitError(ValueError):
    """Why an address is not opened, to be said after its name."""


def _public_url(text: str, *, loopback: bool) -> URL:
    authority = _AUTHORITY.match(text)
    if len(text) > URL_CHARS_MAX or _FORBIDDEN.search(text) or authority is None:
        raise _UnfitError("is not a plain https address")
    if not authority[1].isascii() or "@" in authority[1] or "%" in authority[1]:
        raise _UnfitError("names its host in a way that hides it")
    try:
        # What is ASCII goes out exactly as written, because a signature may cover the exact characters.
        url = URL(text, encoded=text.isascii())
        host, port, scheme = url.raw_host or "", url.port, url.scheme.lower()
    except ValueError:
        raise _UnfitError("is not an address") from None
    _check_host(host, bracketed="[" in authority[1], loopback=loopback)
    if loopback and is_loopback(host) and scheme in {"http", "https"}:
        return url
    if scheme != "https":
        raise _UnfitError("is not https")
    if port != 443:
        raise _UnfitError("uses an unusual port")
    return url


def _check_host(host: str, *, bracketed: bool, loopback: bool) -> None:
    if bracketed:
        literal = host
    elif not _HOST_NAME.fullmatch(host) or ".." in host:
        raise _UnfitError("has no usable host name")
    elif _NUMERIC_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
        # 2130706433, 0x7f.1, 127.1 and 0177.0.0.1 all mean 127.0.0.1 to some resolver: one spelling is enough.
        literal = host
    else:
        return
    if not address_allowed(literal, loopback=loopback):
        raise _UnfitError("is not on a public address")


def address_allowed(literal: str, *, loopback: bool) -> bool:
    """Whether an IP address belongs to the public internet; or, with `loopback`, to this machine."""
    try:
        address = ip_address(literal)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address in _NAT64:
            address = IPv4Address(int(address) & 0xFFFF_FFFF)
    return (loopback and address.is_loopback) or _is_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv6Address):
        return address in _IPV6_PUBLIC and not any(address in block for block in _IPV6_NOT_PUBLIC)
    return address not in _IPV4_6TO4_RELAY
