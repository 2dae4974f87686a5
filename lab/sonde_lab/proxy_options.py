"""What a proxy is asked to do, in the words of its command line: checked here, handed on to its process as they are."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from sonde_lab.proxy import Proxy, upstream_tls
from sonde_lab.proxy_connection import ProxyObserver
from sonde_lab.proxy_head import Address, Upstream, is_loopback, parse_listen, parse_upstream
from sonde_protocol.errors import excerpt


class ProxyFailed(Exception):
    """No proxy came about, or it has ended. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """`cert` and `key` are files in PEM, for clients that come by TLS."""

    listen: str
    upstream: str
    cert: str = ""
    key: str = ""
    insecure: bool = False
    rewrite_host: bool = False

    def arguments(self) -> list[str]:
        """The same as a command line."""
        files = [f"--{name}={value}" for name, value in (("cert", self.cert), ("key", self.key)) if value]
        flags = ["--insecure"] * self.insecure + ["--rewrite-host"] * self.rewrite_host
        return [f"--listen={self.listen}", f"--upstream={self.upstream}", *files, *flags]

    def proxy(self, observer: ProxyObserver | None = None) -> Proxy:
        """A proxy that has not been started.

        Raises:
            ProxyFailed: something is wrong with an address, or a file cannot be read.
        """
        try:
            listen, upstream = parse_listen(self.listen), parse_upstream(self.upstream)
        except ValueError as error:
            raise ProxyFailed(str(error)) from None
        if _is_same(listen, upstream):
            raise ProxyFailed(f"the proxy would dial itself: {upstream} is where it listens")
        if self.insecure and not upstream.secure:
            raise ProxyFailed("--insecure is about a wss:// upstream; this one is ws://")
        tls = upstream_tls(self.insecure) if upstream.secure else None
        return Proxy(
            listen, upstream, observer, tls=tls, cert=self._certificate(), rewrites_host=self.rewrite_host
        )

    def _certificate(self) -> ssl.SSLContext | None:
        if not self.cert and not self.key:
            return None
        if not self.cert:
            raise ProxyFailed("--key needs --cert, the certificate that it belongs to")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", "") or str(error)
            raise ProxyFailed(
                f"--cert and --key: cannot be used ({excerpt(why, 120)}); both are PEM files"
            ) from None
        return context


async def started(proxy: Proxy) -> None:
    """Start a proxy.

    Raises:
        ProxyFailed: the address is taken, or is none of this machine's.
    """
    try:
        await proxy.start()
    except (OSError, UnicodeError) as error:
        why = excerpt(getattr(error, "strerror", "") or str(error), 160)
        raise ProxyFailed(f"cannot listen at {proxy.listen}: {why}") from None


def _is_same(listen: Address, upstream: Upstream) -> bool:
    if listen.port != upstream.port:
        return False
    is_here = is_loopback(upstream.host) and (is_loopback(listen.host) or listen.host in ("0.0.0.0", "::"))  # noqa: S104
    return is_here or listen.host == upstream.host
